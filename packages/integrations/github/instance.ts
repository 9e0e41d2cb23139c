/** Host of the GitHub behind an API's address: Enterprise Server's ends in /api/v3, data residency's begins with `api.`. */
export function instanceOf(apiUrl: string): string {
  const { hostname, pathname } = new URL(apiUrl);
  if (pathname.startsWith('/api/v3')) return hostname;
  // A proxy in front of GitHub's API may have any address.
  return /^api\.(.+\.ghe\.com)$/.exec(hostname)?.[1] ?? 'github.com';
}
