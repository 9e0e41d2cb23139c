import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGitHubClient } from '../../packages/integrations/github/client.ts';
import { withHook } from '../../packages/integrations/github/deliveries.ts';
import { createPagerDutyClient } from '../../packages/integrations/pagerduty/client.ts';
import { checkSlack } from '../../packages/integrations/slack/check.ts';
import { createSlackClient } from '../../packages/integrations/slack/client.ts';
import type { Ground } from './fault.ts';

const statuses = [301, 302, 303, 307, 308, 201, 200, 429];

/** Services that answer every call with an address: as a redirect, as the next page, and in every field of the body. */
export async function callThroughAnswers(
  _ground: Ground,
  forms: readonly string[],
  allow: (port: number) => void,
): Promise<{ differences: string[]; tried: number }> {
  let [form, status] = ['', 301];
  let heard = 0;
  const server = createServer((request, response) => {
    heard += 1;
    request.resume();
    // A header takes no controls and nothing beyond Latin-1: such a form is written as a URL would write it.
    const location = /^[\x20-\x7e]*$/.test(form) ? form : encodeURI(form.toWellFormed());
    response.writeHead(status, {
      'content-type': 'application/json',
      location,
      link: `<${location}>; rel="next", <${location}?cursor=x>; rel="next"`,
      'content-location': location,
      refresh: `0; url=${location}`,
    });
    const body = {
      ok: true,
      url: form,
      html_url: form,
      deliveries_url: form,
      response_url: form,
      warning: form,
      channel: 'C1',
      ts: '1.1',
    };
    response.end(JSON.stringify(status === 200 && request.url?.includes('/list') ? [body] : body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  allow(port);
  const apiUrl = `http://127.0.0.1:${port}`;
  const repository = { owner: 'acme', repo: 'app' };
  const github = createGitHubClient({ apiUrl, authorization: 'token t', manner: 'once' });
  const slack = createSlackClient({ botToken: 'x', channel: 'C1', apiUrl: `${apiUrl}/api/` });
  const pagerduty = createPagerDutyClient({ routingKey: 'x', apiUrl });
  const hook = { kind: 'organization', organization: 'acme', id: '1' } as const;
  const listing = { nowMs: Date.now, onLeftAlive: () => {} };
  const calls: (() => Promise<unknown>)[] = [
    () => github.send({ route: 'GET /repos/{owner}/{repo}/keys', parameters: repository }),
    () => github.send({ route: 'DELETE /repos/{owner}/{repo}/keys/{id}', parameters: { ...repository, id: '1' } }),
    () =>
      github.send({
        route: 'POST /repos/{owner}/{repo}/actions/runs/{id}/cancel',
        parameters: { ...repository, id: '1' },
      }),
    async () => {
      for await (const _ of github.list(
        { route: 'GET /orgs/{org}/list', parameters: { org: 'acme' } },
        { maxItems: 3 },
      ))
        break;
    },
    () => withHook({ apiUrl, hookToken: 'x' }, hook, listing, async (client) => void (await client.list(null))),
    () => slack.post({ text: 'hello', blocks: [] }),
    () => slack.update({ channel: 'C1', ts: '1.1' }, { text: 'hello', blocks: [] }),
    () => checkSlack({ botToken: 'x', apiUrl: `${apiUrl}/api/` }),
    () => pagerduty.send({ event_action: 'resolve', dedup_key: 'x' } as never),
  ];
  let tried = 0;
  for (form of forms) {
    for (const call of calls) {
      status = statuses[tried % statuses.length]!;
      tried += 1;
      await call().catch(() => {});
    }
  }
  await new Promise((resolve) => {
    server.closeAllConnections();
    server.close(resolve);
  });
  // Each call was made, or the watch would have had nothing to see.
  return { differences: heard < tried ? [`only ${heard} of ${tried} calls were made`] : [], tried };
}
