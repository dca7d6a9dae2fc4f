/**
 * Many followers in one process: WebSocket and just enough of Socket.IO, because a thousand whole clients would be what is
 * measured. Argument: the port. Told `{ followers }` it connects as many and says so; told `{ report }` it says how late
 * each line was, and how many there were.
 */
import WebSocket from 'ws';

const [port] = process.argv.slice(2);
const mark = 'at=';
let delays = [];
let connected = 0;
let wanted = 0;

function follow() {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/socket/?EIO=4&transport=websocket`, {
    perMessageDeflate: false,
  });
  socket.on('message', (data) => {
    const text = data.toString();
    if (text[0] === '0') socket.send('40{"token":"bench"}');
    else if (text === '2') socket.send('3');
    else if (text.startsWith('40')) socket.send('420["follow",{"deployment":"dpl_bench","after":0}]');
    else if (text.startsWith('43')) {
      if (++connected === wanted) process.send({ connected });
    } else if (text.startsWith('42')) take(socket, text);
  });
}

function take(socket, text) {
  const now = Date.now();
  const bracket = text.indexOf('[');
  // A packet with a number wants an acknowledgement.
  if (bracket > 2) socket.send(`43${text.slice(2, bracket)}[]`);
  for (let at = text.indexOf(mark); at !== -1; at = text.indexOf(mark, at + 1)) {
    delays.push(now - Number.parseInt(text.slice(at + mark.length, at + mark.length + 13), 10));
  }
}

process.on('message', ({ followers, report }) => {
  if (followers !== undefined) {
    wanted = connected + followers;
    for (let n = 0; n < followers; n++) follow();
  }
  if (report) {
    delays.sort((a, b) => a - b);
    const at = (share) => delays[Math.max(0, Math.ceil(delays.length * share) - 1)];
    process.send({ lines: delays.length, p50: at(0.5), p99: at(0.99) });
    delays = [];
  }
});
