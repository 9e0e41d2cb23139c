import type { IncidentEvent } from './channel.ts';
import { describeActor, resolutionText } from './incident-report.ts';

/** An event of an incident as one line for people; undefined for events that the incident's own message shows. */
export function replyLine({ kind, actor, detail }: IncidentEvent): string | undefined {
  const text = (name: string) => (typeof detail[name] === 'string' ? detail[name] : undefined);
  switch (kind) {
    case 'joined':
      return `${detail['again'] === true ? 'Stands again' : 'Joined'}: ${text('title') ?? 'another finding'}`;
    case 'acknowledged':
      return `Acknowledged by ${describeActor(actor)}`;
    case 'resolved': {
      const resolution = text('resolution') as keyof typeof resolutionText | undefined;
      const how = resolution && resolutionText[resolution];
      return `Resolved by ${describeActor(actor)}${how ? `: ${how}` : ''}`;
    }
    case 'reopened':
      return `Reopened by ${describeActor(actor)}`;
    case 'withdrawn':
      return `Retracted: ${text('reason') ?? 'later evidence explains it'}`;
    case 'paged': {
      const [title, former, severity] = [text('title'), text('former'), text('severity')];
      if (title === undefined) return text('reason') ?? 'A result needs a person';
      return former === undefined ? title : `${severity}, was ${former}: ${title}`;
    }
    case 'remediated':
      return text('text') ?? 'A step of the playbook was settled';
    case 'proven':
      return 'Proven: GitHub’s own list names the delivery that a finding rests on';
    case 'lowered':
      return `Lowered: ${text('reason') ?? 'it cannot be proved that it still holds'}`;
    case 'grown': {
      const [title, severity, former] = [text('title') ?? 'a finding', text('severity'), text('former')];
      const named = Array.isArray(detail['named']) ? detail['named'].filter((name) => typeof name === 'string') : [];
      const rises = severity === undefined ? '' : ` (${severity}, was ${former})`;
      const shown = named.slice(0, 3).join(', ');
      const more = named.length > 3 ? ` and ${named.length - 3} more` : '';
      return `Grown${rises}: ${title}${shown === '' ? '' : `, also ${shown}${more}`}`;
    }
    case 'opened':
    case 'told':
      return undefined;
  }
}
