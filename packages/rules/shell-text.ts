/**
 * Text of strangers that a shell would execute where a workflow's expression puts it into a script: `${{ github.head_ref }}`
 * is replaced before the shell reads the line. Expressions are linear, and what has none of a few characters is done at once.
 */
export type TextForm = 'ref' | 'name' | 'title' | 'message' | 'body';
/** `is`: `code` may be talk of code; `payload` fetches, decodes or hides, as ordinary text of this form does not. */
export type ShellText = { is: 'payload' | 'code'; excerpt: string };

const suspicious = /[$`|;&{]/;
const substitution = /\$\(|`/g;
/** `$IFS` stands for a blank where none may stand, and `{curl,-s}` for a command with its blanks. */
const hiddenBlank = /[\w)}|]\$\{?IFS\b|\{(?:curl|wget|bash|echo|base64),[-$"'A-Z]/;
const fetches = /^\$\(\s{0,3}(?:curl|wget|nc|ncat|bash|sh|python3?|perl|ruby|node|eval|base64|printenv|socat)\b/;
const intoShell = /\| ?(?:bash|sh)\b/;
/** A quote of the script is closed, and a command of one's own follows. */
const closesQuote =
  /["']\s{0,3}(?:;|&&|\|\|?)\s{0,3}(?:curl|wget|bash|python3?|base64|printenv)\b|["'`]\s{0,3}\)\s{0,3};?\s{0,3}(?:require\(|eval\()/;
/** Variables of make, such as `$(CC)`. */
const ofMake = /^\$\([A-Z_]{2,40}\)/;

/** Texts of which one stands in whatever `shellTextIn` finds in titles, bodies, comments and pages. */
export const shellTexts =
  '$(  IFS  curl  wget  bash  python  base64  printenv  {echo,  |sh  | sh  require(  eval('.split('  ');

export function shellTextIn(text: string, form: TextForm): ShellText | undefined {
  if (!suspicious.test(text)) return undefined;
  const read = form === 'body' ? withoutCode(text) : text;
  const hidden = hiddenBlank.exec(read) ?? (form === 'message' ? null : closesQuote.exec(read));
  if (hidden !== null) return found('payload', read, hidden.index);
  let code: ShellText | undefined;
  for (const { index } of read.matchAll(substitution)) {
    const rest = read.slice(index, index + 300);
    if (ofMake.test(rest)) continue;
    const isMarkup = rest.startsWith('`') && form !== 'ref' && form !== 'name';
    // In prose what stands between backticks is shown as code.
    if (intoShell.test(enclosed(rest)) || (!isMarkup && fetches.test(rest))) return found('payload', read, index);
    if (isMarkup || form === 'message' || form === 'body') continue;
    // No name of a branch or a person holds these by chance.
    code ??= found(form === 'title' ? 'code' : 'payload', read, index);
  }
  if (code === undefined && form === 'ref' && intoShell.test(read)) return found('payload', read, 0);
  return code;
}

const found = (is: ShellText['is'], text: string, index: number): ShellText => ({
  is,
  excerpt: text.slice(Math.max(0, index - 20), index + 100),
});

/** To the end of the substitution that `text` begins with. */
function enclosed(text: string): string {
  const end = text.indexOf(text.startsWith('`') ? '`' : ')', 2);
  return end < 0 ? text : text.slice(0, end);
}

/** Without blocks and spans of code, in which reports quote scripts; what is not closed ends with its line, or the text. */
function withoutCode(text: string): string {
  let isFenced = false;
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    const isFence = /^\s{0,3}(?:```|~~~)/.test(line);
    if (isFence) isFenced = !isFenced;
    if (isFence || isFenced || line.startsWith('    ') || line.startsWith('\t') || line.startsWith('>')) continue;
    const parts = line.split('`');
    lines.push(parts.filter((_, place) => place % 2 === 0 || place === parts.length - 1).join(' '));
  }
  return lines.join('\n');
}
