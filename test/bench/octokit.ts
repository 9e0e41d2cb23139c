import { createServer } from 'node:http';
import { createNodeMiddleware, Webhooks } from '@octokit/webhooks';

/** The receiver's peer: Octokit's middleware verifies and parses; its handler only remembers that a delivery came. */
const webhooks = new Webhooks({ secret: process.env['SECRET']! });
const seen = new Map<string, string>();
webhooks.onAny(({ id, name }) => void seen.set(id, name));
const middleware = createNodeMiddleware(webhooks, { path: '/webhooks/github' });

const server = createServer((request, response) => {
  if (request.method === 'GET') response.writeHead(204).end();
  else void middleware(request, response);
});
server.listen(Number(process.env['PORT']), '127.0.0.1');
