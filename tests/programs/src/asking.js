// asking.js HOST PORT, for Bun: it writes as soon as the socket is writable.
Bun.connect({
	hostname: process.argv[2], port: Number(process.argv[3]), socket: {
		open(socket) { socket.write("word\n"); },
		data(socket, data) { console.log(data.toString().trim()); process.exit(); },
		close() { console.log("closed"); process.exit(1); },
		connectError(socket, error) { console.log(error.message); process.exit(1); },
		error(socket, error) { console.log(error.message); process.exit(1); },
	},
});
