/** A plane that only counts log lines, in a process of its own: prints its port, then per request nothing. */
const { createServer } = require('node:http');
let lines = 0;
const server = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    if (request.method === 'POST') lines += JSON.parse(Buffer.concat(chunks).toString()).lines.length;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ last: lines }));
  });
});
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
