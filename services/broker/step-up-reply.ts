import type { FastifyReply } from 'fastify';
import { messagePage, pageHeaders } from './pages/page.ts';

/** How the pages of step-ups are answered. */
export function send(reply: FastifyReply, status: number, page: string): FastifyReply {
  return reply.code(status).headers(pageHeaders).send(page);
}
export function say(reply: FastifyReply, status: number, ...words: Parameters<typeof messagePage>): FastifyReply {
  return send(reply, status, messagePage(...words));
}
export function redirect(reply: FastifyReply, url: string): FastifyReply {
  const headers = { 'cache-control': 'no-store', 'referrer-policy': 'same-origin', location: url };
  return reply.code(303).headers(headers).send();
}
/** To a page's own script. */
export function sendJson(reply: FastifyReply, status: number, body: object): FastifyReply {
  return reply.code(status).headers({ 'cache-control': 'no-store' }).send(body);
}

/** Of a prompt, or what else a link leads to. */
export const gone = [
  'Nothing to answer here',
  'It was answered, has expired, or never was. A job that still waits prints another link.',
] as const;
