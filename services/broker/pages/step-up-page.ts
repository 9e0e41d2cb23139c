import { nameRight } from '@tripline/access/people-rights';
import type { Shown, ShownRequest, ShownRun } from '../store/approvals.ts';
import { type Html, html, page } from './page.ts';

/** Before anybody signed in: nothing of the run is shown to whoever has the link alone. */
export const signInPage = (id: string): string =>
  page(
    'Something waits for your second factor',
    html`<p>Sign in to see what it asks for. Nothing is approved by signing in.</p>
<p><button class="yes" data-passkey="use" data-at="/step-up/${id}/passkey/use">Use a passkey</button> <a class="button no" href="/step-up/${id}/sign-in">Sign in</a></p>
<p id="outcome" role="status"></p>
<p class="quiet">You did not start anything? Sign in, and say so on the next page.</p>`,
    { withScript: true },
  );

const short = (sha: string): string => sha.slice(0, 12);

type As = {
  account: { name: string };
  isStrongEnough: boolean;
  formToken: string;
  note?: string | undefined;
};
/** What the page says of what is asked for. */
type Words = {
  title: string;
  rows: Html[];
  approve: string;
  where: string;
  refuse: string;
  refused: string;
  holds: string;
};

const row = (term: string, value: Html) => html`<dt>${term}</dt><dd>${value}</dd>`;

function wordsOfRun(shown: ShownRun): Words {
  const { repository, run, sha, ref, environment, actor, policy, tier, gives, lastSha, event } = shown;
  const at = `https://${shown.instance}/${repository.name}`;
  const out = (url: string, text: string | Html) => html`<a href="${url}" target="_blank" rel="noreferrer">${text}</a>`;
  const rows = [
    row('Repository', html`<code>${repository.name}</code>`),
    row(
      'Run',
      html`${out(`${at}/actions/runs/${run.id}/attempts/${run.attempt}`, `${run.id}`)}, attempt ${run.attempt}, by ${event}`,
    ),
    row('Set off by', html`<code>${actor.name}</code>`),
    row('Commit', html`${out(`${at}/commit/${sha}`, html`<code>${short(sha)}</code>`)} on <code>${ref}</code>`),
    ...(lastSha === null
      ? []
      : [
          row(
            'Changes',
            out(
              `${at}/compare/${lastSha}...${sha}`,
              html`since <code>${short(lastSha)}</code>, which was let through last`,
            ),
          ),
        ]),
    row('Environment', html`<code>${environment ?? 'none'}</code> (${tier})`),
    row('Policy', html`<code>${policy}</code>`),
    row('Gives', html`${gives.map((one) => html`<div><code>${one}</code></div>`)}`),
  ];
  return {
    ...{ title: 'Do you stand for this run?', rows, approve: 'Approve this run' },
    where:
      'The log of the job that waits, or what is said of the waiting deployment, shows four digits beside this page’s link.',
    ...{ refuse: 'This was not me', refused: 'Denies the run, and opens an incident.' },
    holds: 'The approval holds for this attempt of this run alone.',
  };
}

function wordsOfRequest({ request, kind, target, permission, grantee, policy, instance, asked }: ShownRequest): Words {
  const minutes = Math.round(request.forMs / 60_000);
  const isAlone = asked.people.some(({ id }) => id === grantee.id);
  return {
    title: 'May they have this right?',
    rows: [
      row('Who', html`<code>${grantee.name}</code> (account ${grantee.id} at ${instance})`),
      row('Right', html`<code>${nameRight(kind, permission, target.name)}</code>`),
      row(
        'For',
        html`${minutes} min ${request.extension === undefined ? 'from when it is given' : 'more, beyond its end'}`,
      ),
      row('Reason', html`${request.reason}`),
      row('Asked by', html`<code>${request.askedBy}</code>, whom nothing proves to be them`),
      row('Policy', html`<code>people.${policy}</code>`),
      ...(isAlone
        ? [
            row(
              'Alone',
              html`Nobody has answered: they may approve it themselves by now, and an incident is opened for it`,
            ),
          ]
        : []),
    ],
    approve: 'Let them have it',
    where: 'Whoever asked sees four digits beside this page’s link: have them told to you in person, or on a call.',
    ...{ refuse: 'Deny it', refused: 'Nothing is given.' },
    holds: 'The approval holds for this request alone.',
  };
}

/** What is asked of whom, and the form that answers. */
export function promptPage(id: string, shown: Shown, as: As): string {
  const words = 'request' in shown ? wordsOfRequest(shown) : wordsOfRun(shown);
  const approving = html`<form method="post" action="/step-up/${id}/approve" autocomplete="off">
<input type="hidden" name="token" value="${as.formToken}">
<label for="number">The number beside the link</label>
<input id="number" name="number" inputmode="numeric" pattern="[0-9]{4}" maxlength="4" required aria-describedby="why">
<button class="yes">${words.approve}</button>
<p class="quiet" id="why">${words.where}</p>
</form>`;
  const stronger = html`<p class="note" role="alert">The policy wants a second factor that resists phishing, such as a passkey or security key. The one that you gave does not.</p>
<p><a class="button yes" href="/step-up/${id}/sign-in">Sign in again</a> <a class="button no" href="/step-up/${id}/passkey">Make a passkey</a></p>`;
  return page(
    words.title,
    html`${as.note === undefined ? [] : [html`<p class="note" role="alert">${as.note}</p>`]}
<dl>${words.rows}</dl>
${as.isStrongEnough ? approving : stronger}
<form method="post" action="/step-up/${id}/refuse">
<input type="hidden" name="token" value="${as.formToken}">
<button class="no">${words.refuse}</button>
<p class="quiet">${words.refused}</p>
</form>
<p class="quiet">You are signed in as ${as.account.name}. ${words.holds}</p>`,
  );
}
