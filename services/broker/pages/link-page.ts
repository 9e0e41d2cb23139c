import { html, page } from './page.ts';

/** Whom the provider knows, and Tripline does not: they may show which account is theirs. */
export const whoPage = (id: string, subject: string): string =>
  page(
    'Which GitHub account is yours?',
    html`<p>The provider knows you as <code>${subject}</code>. Nobody told Tripline yet which GitHub account is yours.</p>
<p><a class="button yes" href="/step-up/${id}/link">Sign in at GitHub</a></p>
<p class="quiet">Nothing but the account’s id is read, and no access is kept. A colleague then confirms that it is you.</p>`,
  );

/** Both sides, before anything is asked of anybody. */
export const linkPage = (
  id: string,
  { subject, login, accountId, formToken }: { subject: string; login: string; accountId: string; formToken: string },
): string =>
  page(
    'Are these both you?',
    html`<dl><dt>At the provider</dt><dd><code>${subject}</code></dd><dt>At GitHub</dt><dd><code>${login}</code> (account ${accountId})</dd></dl>
<form method="post" action="/step-up/${id}/link"><input type="hidden" name="token" value="${formToken}"><button class="yes">Both are me</button></form>
<p class="quiet">If one is not, close this page, sign out there, and open the link of the job once more.</p>`,
  );

/** What to do with a link that waits. */
export const linkMadePage = (confirmUrl: string, number: string): string =>
  page(
    'One more person',
    html`<p>It counts for nothing yet. Have a colleague open this link, who knows that it is you who asks:</p>
<p><code>${confirmUrl}</code></p>
<p>Tell them this number in person, or on a call: <code>${number}</code></p>
<p class="quiet">It is good for a day. Afterwards open the link of the job once more.</p>`,
  );

export const linkSignInPage = (key: string): string =>
  page(
    'Somebody asks you to confirm who they are',
    html`<p>Sign in to see who.</p><p><a class="button yes" href="/step-up/links/${key}/sign-in">Sign in</a></p>`,
  );

/** On which a second person says whether two accounts are one person's. */
export const confirmLinkPage = (
  key: string,
  of: {
    login: string;
    accountId: string;
    instance: string;
    subject: string;
    madeAt: Date;
    as: string;
    formToken: string;
    note?: string;
  },
): string =>
  page(
    'Are both of these them?',
    html`${of.note === undefined ? [] : [html`<p class="note" role="alert">${of.note}</p>`]}
<p>Somebody signed in at both at ${of.madeAt.toISOString()}. Once it is confirmed, whoever signs in at the provider as the one stands for runs as the other.</p>
<dl><dt>At the provider</dt><dd><code>${of.subject}</code></dd><dt>At GitHub</dt><dd><code>${of.login}</code> (account ${of.accountId} at ${of.instance})</dd></dl>
<form method="post" action="/step-up/links/${key}/yes" autocomplete="off"><input type="hidden" name="token" value="${of.formToken}">
<label for="number">The number that they told you</label>
<input id="number" name="number" inputmode="numeric" pattern="[0-9]{4}" maxlength="4" required aria-describedby="why">
<button class="yes">Both are them</button>
<p class="quiet" id="why">Only if they told it to you in person, or on a call, and you know who they are at both.</p></form>
<form method="post" action="/step-up/links/${key}/no"><input type="hidden" name="token" value="${of.formToken}"><button class="no">They are not</button></form>
<p class="quiet">You are signed in as ${of.as}.</p>`,
  );
