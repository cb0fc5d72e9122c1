// echo.js listen PORT | call HOST PORT: one connection, answered in capitals.
const net = require('net');
const [mode, ...words] = process.argv.slice(2);

if (mode === 'listen') {
  const server = net.createServer((socket) => {
    socket.on('data', (data) => socket.end(data.toString().toUpperCase()));
    socket.on('close', () => server.close());
  });
  server.listen(Number(words[0]), '127.0.0.1');
} else {
  const socket = net.connect(Number(words[1]), words[0], () => socket.write('hello from node\n'));
  socket.pipe(process.stdout);
}
