/** Longest cursor that is taken. */
const longest = 2000;

/**
 * What the link to the next page (RFC 8288) gives for the parameter that names a page; null where there is no next page. Of the
 * link only that is taken: no address that an answer names is ever called.
 */
export function nextInLink(link: unknown, parameter: string): string | null {
  for (const part of typeof link === 'string' ? link.split(',') : []) {
    const [target = '', ...attributes] = part.split(';').map((piece) => piece.trim());
    if (!attributes.includes('rel="next"')) continue;
    const query = target.slice(target.indexOf('?') + 1, -1);
    const cursor = new URLSearchParams(query).get(parameter);
    if (cursor !== null && cursor !== '' && cursor.length <= longest) return cursor;
  }
  return null;
}
