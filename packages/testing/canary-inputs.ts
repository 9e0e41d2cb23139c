import { createRequire } from 'node:module';
import { github } from '@tripline/sources/github/source';
import { createWorkspaces } from '@tripline/sources/workspace';

type Example = { name: string; examples: object[] };
type Holder = Record<string, unknown>;
const examples = (createRequire(import.meta.url)('@octokit/webhooks-examples') as Example[]).flatMap(
  ({ name, examples: bodies }) => bodies.map((body) => ({ event: name, text: JSON.stringify(body) })),
);
const workspaces = createWorkspaces({ workspaces: [], drills: true });

/**
 * GitHub's published examples, one of each event and action, with `plant` in every text that may hold it and as a key of
 * every object: a text may not where something else would become of the delivery, such as the login of its organisation.
 */
export function plantedExamples(plant: string): { event: string; body: string; planted: number }[] {
  const seen = new Set<string>();
  return examples.flatMap(({ event, text }) => {
    const body = JSON.parse(text) as Holder;
    const kind = `${event} ${String(body['action'])}`;
    if (seen.has(kind)) return [];
    seen.add(kind);
    let planted = 0;
    const outcome = outcomeOf(event, body);
    for (const [holder, name] of textsOf(body)) {
      const before = holder[name] as string;
      holder[name] = `${before} ${plant}`;
      if (outcomeOf(event, body) === outcome) planted += 1;
      else holder[name] = before;
    }
    for (const holder of objectsOf(body)) {
      holder[plant] = plant;
      if (outcomeOf(event, body) === outcome) planted += 1;
      else delete holder[plant];
    }
    return [{ event, body: JSON.stringify(body), planted }];
  });
}

/** Logins of the organisations and users whose repositories the examples are about. */
export function exampleOwners(): string[] {
  const owners = examples.flatMap(({ text }) => {
    const { organization, repository, installation } = JSON.parse(text);
    return [organization?.login, repository?.owner.login, installation?.account?.login];
  });
  return [...new Set(owners.flatMap((login) => login?.toLowerCase() ?? []))];
}

/** The type of the event that it becomes, or why it becomes none. */
function outcomeOf(event: string, body: object): string {
  const headers = { 'x-github-event': event, 'x-github-delivery': 'a' };
  const rawBody = Buffer.from(JSON.stringify(body));
  const delivery = { headers, rawBody, bodySha256: '0'.repeat(64), receivedAtMs: 1_777_000_000_000 };
  const secretScope = { kind: 'anybody' } as const;
  const normalised = github.normalise({ ...delivery, secretScope }, workspaces);
  if ('event' in normalised) return normalised.event.type;
  if ('refusal' in normalised) return normalised.refusal.reason;
  return 'ignored' in normalised ? normalised.ignored : 'several events';
}

function objectsOf(value: unknown): Holder[] {
  if (typeof value !== 'object' || value === null) return [];
  const below = Object.values(value).flatMap(objectsOf);
  return Array.isArray(value) ? below : [value as Holder, ...below];
}

function textsOf(value: unknown): [Holder, string][] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) =>
    typeof item === 'string' ? [[value as Holder, name] as [Holder, string]] : textsOf(item),
  );
}
