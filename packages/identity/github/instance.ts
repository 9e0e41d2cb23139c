/**
 * The host of the GitHub whose jobs an issuer signs for, as events name it: `github.com` for GitHub's own and an enterprise's own
 * issuer there, `acme.ghe.com` for GHE.com, an Enterprise Server's own host.
 */
export function instanceOfIssuer(iss: string): string {
  const { host } = new URL(iss);
  if (host === 'token.actions.githubusercontent.com') return 'github.com';
  const [, subdomain] = /^token\.actions\.([\w-]+\.ghe\.com)$/.exec(host) ?? [];
  return subdomain ?? host;
}
