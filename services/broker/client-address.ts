import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/**
 * From where a request comes. `X-Forwarded-For` is believed of configured proxies alone: it is the last address there that is no
 * proxy of ours, since whatever stands before it may have been written by the client.
 */
export function createClientAddress(proxies: readonly string[]): (request: IncomingMessage) => string {
  const ours = new BlockList();
  for (const one of proxies) {
    const [net = '', prefix] = one.split('/');
    ours.addSubnet(net, Number(prefix), isIP(net) === 6 ? 'ipv6' : 'ipv4');
  }
  const isOurs = (address: string) => ours.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return (request) => {
    const peer = plain(request.socket.remoteAddress ?? '');
    if (proxies.length === 0 || isIP(peer) === 0 || !isOurs(peer)) return peer;
    const forwarded = String(request.headers['x-forwarded-for'] ?? '').split(',');
    for (const one of forwarded.reverse()) {
      const address = plain(one.trim());
      if (isIP(address) === 0) return peer;
      if (!isOurs(address)) return address;
    }
    return peer;
  };
}

/** An IPv4 address that an IPv6 socket tells is itself. */
const plain = (address: string) =>
  address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
