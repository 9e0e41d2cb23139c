/** A browser without scripts: keeps cookies by origin, and follows what it is told to. */
export function createBrowser(address: (url: URL) => URL = (url) => url) {
  const jars = new Map<string, Map<string, string>>();
  async function ask(target: string, init: RequestInit = {}): Promise<{ response: Response; text: string; url: URL }> {
    const url = new URL(target);
    const jar = jars.get(url.origin) ?? new Map<string, string>();
    jars.set(url.origin, jar);
    const headers = new Headers(init.headers);
    if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(address(url), { ...init, headers, redirect: 'manual' });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';', 1);
      const cut = pair.indexOf('=');
      if (/max-age=0/i.test(cookie) || pair.length === cut + 1) jar.delete(pair.slice(0, cut));
      else jar.set(pair.slice(0, cut), pair.slice(cut + 1));
    }
    return { response, text: await response.text(), url };
  }
  /** Asks, and follows redirections. */
  async function open(target: string, init?: RequestInit): ReturnType<typeof ask> {
    let got = await ask(target, init);
    for (let hops = 0; hops < 20; hops += 1) {
      const to = got.response.headers.get('location');
      if (to === null) return got;
      got = await ask(new URL(to, got.url).href);
    }
    throw new Error(`too many redirections from ${target}`);
  }
  const post = (target: string, fields: Record<string, string>, headers: Record<string, string> = {}) =>
    open(target, { method: 'POST', body: new URLSearchParams(fields), headers });
  return { ask, open, post, jars };
}
