import { BlockList, isIP } from 'node:net';

/**
 * Kinds of IP addresses: those that must never be called (cloud metadata and other link-local addresses, multicast,
 * unassigned), loopback, private networks, and the internet.
 */
export type AddressKind = 'forbidden' | 'loopback' | 'private' | 'public';

const loopback = listOf('127.0.0.0/8', '::1/128');
const forbidden = listOf(
  // Unspecified, link-local (with cloud metadata at 169.254.169.254), multicast, reserved, broadcast.
  ...[
    '0.0.0.0/8',
    '169.254.0.0/16',
    '192.0.0.0/24',
    '224.0.0.0/4',
    '240.0.0.0/4',
    'fe80::/10',
    'fec0::/10',
    'ff00::/8',
  ],
  // Metadata services with addresses of their own: Alibaba, Azure, AWS and Google over IPv6.
  ...['100.100.100.200/32', '168.63.129.16/32', 'fd00:ec2::/32', 'fd20:ce::/32'],
  // Loopback and link-local addresses embedded in IPv6: IPv4-compatible, NAT64, 6to4, Teredo.
  ...['::/96', '64:ff9b::7f00:0/104', '64:ff9b::a9fe:0/112', '64:ff9b:1::/48', '2002:7f00::/24', '2002:a9fe::/32'],
  '2001::/32',
);
const privates = listOf(
  ...['10.0.0.0/8', '100.64.0.0/10', '172.16.0.0/12', '192.168.0.0/16', '198.18.0.0/15', 'fc00::/7'],
  ...[
    '64:ff9b::a00:0/104',
    '64:ff9b::ac10:0/108',
    '64:ff9b::c0a8:0/112',
    '2002:a00::/24',
    '2002:ac10::/28',
    '2002:c0a8::/32',
  ],
);

/**
 * `address` as resolvers give it; an IPv4-mapped address (`::ffff:0:0/96`) counts as IPv4. Text that is no address is
 * forbidden.
 */
export function kindOfAddress(address: string): AddressKind {
  const plain = address.split('%', 1)[0]!;
  const version = isIP(plain);
  if (version === 0) return 'forbidden';
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (loopback.check(plain, family)) return 'loopback';
  if (forbidden.check(plain, family)) return 'forbidden';
  return privates.check(plain, family) ? 'private' : 'public';
}

/**
 * The IP address in a URL's host, or null where the host is a name. Parsing a URL normalises every notation of an
 * address.
 */
export function addressOf(url: URL): string | null {
  const host = url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname.replace(/\.$/, '');
  return isIP(host) === 0 ? null : host;
}

/** `localhost` and names below it are loopback by definition, whatever a resolver says. */
export function isLocalhost(url: URL): boolean {
  return /(?:^|\.)localhost\.?$/.test(url.hostname);
}

/** Why Tripline may not be told to call `text`, as the end of a sentence; undefined when it may. */
export function faultOfServiceUrl(text: string): string | undefined {
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'must hold no user name and no password';
  if (url.search !== '' || url.hash !== '') return 'must end with its path, without ? and #';
  const address = addressOf(url);
  const kind = address === null ? (isLocalhost(url) ? 'loopback' : 'public') : kindOfAddress(address);
  if (kind === 'forbidden')
    return 'names an address that no service has: cloud metadata, link-local, multicast or 0.0.0.0';
  if (url.protocol !== 'https:' && kind !== 'loopback') return 'must begin with https:// unless it is on this machine';
  return undefined;
}

function listOf(...subnets: string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [net, prefix] = subnet.split('/') as [string, string];
    list.addSubnet(net, Number(prefix), isIP(net) === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
