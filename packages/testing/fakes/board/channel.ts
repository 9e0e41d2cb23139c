import type {
  Channel,
  ChannelDefinition,
  Comparison,
  IncidentSnapshot,
  Notified,
} from '@tripline/integrations/channel';

type Card = { title: string; state: string };

/** Posts a card for an incident, and updates it. */
export const boardChannel: ChannelDefinition<{ apiUrl: string }> = {
  name: 'board',
  doctor: (settings) => [
    {
      name: 'channel Board',
      remedy: 'set board.apiUrl',
      look: async () =>
        settings ? { state: 'ok', detail: settings.apiUrl } : { state: 'off', detail: 'not configured' },
    },
  ],
  open(settings, { intervalMs = 100, fetch = globalThis.fetch }): Channel<Card> {
    return {
      name: 'board',
      mode: settings === undefined ? 'dry-run' : 'live',
      limits: { cards: { intervalMs, burst: 10 } },
      firstMessageLimit: 'cards',
      limitOf: () => ({ limit: 'cards', reserve: 0 }),
      compare,
      render: ({ content }) => content,
      async send({ reference }, body) {
        if (settings === undefined) return { outcome: { kind: 'done', reason: 'dry-run' } };
        const url = `${settings.apiUrl}/cards${reference === undefined ? '' : `/${reference['card']}`}`;
        const method = reference === undefined ? 'POST' : 'PUT';
        const response = await fetch(url, { method, body: JSON.stringify(body) });
        const { card } = (await response.json()) as { card: string };
        return { outcome: { kind: 'done', reason: 'accepted' }, reference: { card } };
      },
      mayHaveBeenDone: () => true,
    };
  },
};

function compare({ report, version, events }: IncidentSnapshot, notified: Notified): Comparison<Card> {
  if (notified.version >= version) return { kind: 'in-sync' };
  const content = { title: report.title, state: report.state };
  const isFirst = notified.reference === undefined;
  return {
    kind: 'message',
    message: {
      kind: isFirst ? 'posted' : 'updated',
      content,
      line: `${report.id} on the board`,
      ...{ reference: notified.reference, version, repeats: isFirst, isNews: isFirst },
      after: { version, state: report.state, lastEvent: events.at(-1)?.id ?? 0 },
    },
  };
}
