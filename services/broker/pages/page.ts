import { createHash } from 'node:crypto';
import { script } from './passkey-script.ts';

/** Text that is HTML already. Everything else that gets into `html` is escaped: names of branches are hostile. */
export type Html = { readonly markup: string };

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
// Characters that turn the direction of text, or are not seen, could show one name as another.
const escaped = (text: string): string =>
  text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (char) => `⟨U+${char.codePointAt(0)!.toString(16).toUpperCase()}⟩`)
    .replace(/[&<>"']/g, (char) => escapes[char]!);

export function html(parts: TemplateStringsArray, ...values: (string | number | Html | readonly Html[])[]): Html {
  const said = values.map((value) => {
    if (typeof value === 'string' || typeof value === 'number') return escaped(String(value));
    return 'markup' in value ? value.markup : value.map(({ markup }) => markup).join('');
  });
  return { markup: parts.reduce((all, part, nth) => all + said[nth - 1]! + part) };
}

const style = `
:root{color-scheme:light dark;font:16px/1.45 system-ui,sans-serif}
body{margin:0 auto;max-width:40rem;padding:1rem}
h1{font-size:1.35rem;line-height:1.25;margin:.5rem 0 1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.35rem .9rem;margin:0 0 1.25rem}
dt{opacity:.7}dd{margin:0;min-width:0;overflow-wrap:anywhere}
code{font:.92em ui-monospace,monospace;overflow-wrap:anywhere}
form{margin:0 0 1rem}
label{display:block;margin:0 0 .35rem;font-weight:600}
input[name=number]{font:1.5rem ui-monospace,monospace;letter-spacing:.3em;width:7.5rem;padding:.4rem .5rem;margin:0 .5rem .75rem 0;border:1px solid;border-radius:.4rem}
button,a.button{font:inherit;font-weight:600;display:inline-block;padding:.6rem 1.1rem;border:1px solid transparent;border-radius:.4rem;cursor:pointer;text-decoration:none}
button.yes,a.yes{background:#1a5fb4;color:#fff}button.no,a.no{background:transparent;color:inherit;border-color:currentColor}
.note{border-left:.25rem solid #c64600;padding:.5rem .75rem;margin:0 0 1rem}
.quiet{opacity:.75;font-size:.92rem}
@media(max-width:30rem){dl{grid-template-columns:1fr;gap:0}dd{margin:0 0 .6rem}button,a.button{display:block;width:100%;box-sizing:border-box;text-align:center;margin:0 0 .6rem}}
`;
const sha256 = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** What a page may do: show itself, run its own script, and talk to its own origin. Nothing is loaded, and nobody frames it. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': `default-src 'none'; style-src ${sha256(style)}; script-src ${sha256(script)}; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  'cache-control': 'no-store',
  // Not no-referrer: under it browsers say of a form's own site `Origin: null`.
  'referrer-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy':
    'camera=(), geolocation=(), microphone=(), publickey-credentials-get=(self), publickey-credentials-create=(self)',
};

export function page(title: string, body: Html, options: { withScript?: boolean } = {}): string {
  const { markup } = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title} · Tripline</title><style>${{ markup: style }}</style></head>
<body><main><h1>${title}</h1>${body}</main>${options.withScript ? [{ markup: `<script>${script}</script>` }] : []}</body></html>`;
  return markup;
}

/** A page that says one thing. */
export const messagePage = (title: string, message: string, again?: { path: string; label: string }): string =>
  page(
    title,
    html`<p>${message}</p>${again === undefined ? [] : [html`<p><a class="button yes" href="${again.path}">${again.label}</a></p>`]}`,
  );
