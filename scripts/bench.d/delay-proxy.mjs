/** `node delay-proxy.mjs PORT MS`: passes bytes on to PORT, half of MS late in each direction. Prints its own port. */
import { connect, createServer } from 'node:net';

const [port, ms] = process.argv.slice(2).map(Number);

/** Everything in order, and each piece as late as the others, however many there are. */
function passOn(from, to) {
  from.on('data', (chunk) => setTimeout(() => to.write(chunk), ms / 2));
  from.once('end', () => setTimeout(() => to.end(), ms / 2));
  from.once('error', () => to.destroy());
  from.once('close', () => setTimeout(() => to.destroy(), ms));
}

const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
  const store = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  passOn(client, store);
  passOn(store, client);
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
