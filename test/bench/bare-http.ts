import { createServer } from 'node:http';

/** The receiver's limit: node:http that reads the body and answers, and does nothing else. */
const server = createServer((request, response) => {
  request.on('data', () => {});
  request.on('end', () => response.writeHead(202, { 'content-length': '0' }).end());
});
server.listen(Number(process.env['PORT']), '127.0.0.1');
