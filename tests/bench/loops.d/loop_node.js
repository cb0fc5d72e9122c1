// HOST PORT COUNT: see ../loops.
const net = require("net");
const [host, port, count] = process.argv.slice(2);
const sleep = ms => new Promise(done => setTimeout(done, ms));
const one = () => new Promise((done, failed) => {
	const sock = net.connect({host, port, autoSelectFamily: false}, () => sock.write("word"));
	sock.on("data", () => { sock.destroy(); done(); });
	sock.on("error", failed);
});
async function gap(work) {
	let most = 0, last = performance.now();
	const timer = setInterval(() => {
		const now = performance.now();
		most = Math.max(most, now - last - 1);
		last = now;
	}, 1);
	await sleep(20);
	most = 0;
	await work();
	await sleep(5);
	clearInterval(timer);
	return most;
}
(async () => {
	const first = await gap(one);
	for (let i = 0; i < Math.floor((count - 2) / 20); i++)
		await Promise.all(Array.from({length: 20}, one));
	console.log(first, await gap(one));
})();
