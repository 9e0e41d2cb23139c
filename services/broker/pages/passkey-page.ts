import { html, page } from './page.ts';

/** On which somebody who is signed in makes a passkey. */
export const makePasskeyPage = (id: string, name: string): string =>
  page(
    'Make a passkey',
    html`<p>It will stand for <code>${name}</code>, once somebody else has confirmed that it is yours.</p>
<p><button class="yes" data-passkey="make" data-at="/step-up/${id}/passkey/make">Make a passkey</button> <a class="button no" href="/step-up/${id}">Back</a></p>
<p id="outcome" role="status"></p>`,
    { withScript: true },
  );

/** What to do with a passkey that was made. */
export const passkeyMadePage = (confirmUrl: string): string =>
  page(
    'One more person',
    html`<p>The passkey was made, and counts for nothing yet. Have a colleague open this link, who knows that it is you who asks:</p>
<p><code>${confirmUrl}</code></p>
<p class="quiet">It is good for a day.</p>`,
  );

export const confirmSignInPage = (key: string): string =>
  page(
    'Somebody asks you to confirm a passkey',
    html`<p>Sign in to see whose.</p><p><a class="button yes" href="/step-up/confirm/${key}/sign-in">Sign in</a></p>`,
  );

/** On which a second person says whether somebody's passkey is theirs. */
export const confirmPage = (
  key: string,
  { owner, madeAt, as, formToken }: { owner: string; madeAt: Date; as: string; formToken: string },
): string =>
  page(
    'Is this passkey theirs?',
    html`<p>Somebody who was signed in as <code>${owner}</code> made a passkey at ${madeAt.toISOString()}. Once it is confirmed, it lets them stand for runs.</p>
<p>Confirm it only if ${owner} asked you in person, or on a call.</p>
<form method="post" action="/step-up/confirm/${key}/yes"><input type="hidden" name="token" value="${formToken}"><button class="yes">It is theirs</button></form>
<form method="post" action="/step-up/confirm/${key}/no"><input type="hidden" name="token" value="${formToken}"><button class="no">It is not</button></form>
<p class="quiet">You are signed in as ${as}.</p>`,
  );
