import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/**
 * From where a request comes. `X-Forwarded-For` is believed of configured proxies alone: it is the last address there that is no
 * proxy of ours, since whatever stands before it may have been written by the client. Undefined where a proxy names no such
 * address, or what cannot be read: its own address is never the client's.
 */
export function createClientAddress(proxies: readonly string[]): (request: IncomingMessage) => string | undefined {
  const ours = new BlockList();
  for (const one of proxies) {
    const [net = '', prefix] = one.split('/');
    ours.addSubnet(net, Number(prefix), isIP(net) === 6 ? 'ipv6' : 'ipv4');
  }
  const isOurs = (address: string) => ours.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  return (request) => {
    const peer = plain(request.socket.remoteAddress ?? '');
    if (isIP(peer) === 0) return undefined;
    if (!isOurs(peer)) return peer;
    const forwarded = String(request.headers['x-forwarded-for'] ?? '').split(',');
    for (const one of forwarded.reverse()) {
      const address = addressIn(one);
      if (address === undefined || !isOurs(address)) return address;
    }
    return undefined;
  };
}

/** Proxies write an address with its port or without, some in quotes; IPv6 beside a port stands in brackets. */
function addressIn(element: string): string | undefined {
  const text = element.trim().replace(/^"([^"]*)"$/, '$1');
  const [, v6, v4] = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::\d{1,5})?$/i.exec(text) ?? [];
  if (v6 !== undefined) return isIP(v6) === 6 ? plain(v6) : undefined;
  const address = v4 ?? text;
  return isIP(address) === 0 || address.includes('%') ? undefined : plain(address);
}

/** An IPv4 address that an IPv6 socket tells is itself. */
const plain = (address: string) => (/^::ffff:/i.test(address) && address.includes('.') ? address.slice(7) : address);
