import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { faultOfServiceUrl, kindOfAddress } from './addresses.ts';

describe('an address', () => {
  it.each([
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['0.0.0.0', 'forbidden'],
    ['169.254.169.254', 'forbidden'],
    ['::ffff:a9fe:a9fe', 'forbidden'],
    ['fe80::1%eth0', 'forbidden'],
    ['fd00:ec2::254', 'forbidden'],
    ['::', 'forbidden'],
    ['::7f00:1', 'forbidden'],
    ['64:ff9b::a9fe:a9fe', 'forbidden'],
    ['2002:7f00:1::', 'forbidden'],
    ['100.100.100.200', 'forbidden'],
    ['224.0.0.1', 'forbidden'],
    ['255.255.255.255', 'forbidden'],
    ['not an address', 'forbidden'],
    ['10.1.2.3', 'private'],
    ['172.31.255.255', 'private'],
    ['192.168.0.1', 'private'],
    ['fd12::1', 'private'],
    ['64:ff9b::a00:1', 'private'],
    ['172.32.0.1', 'public'],
    ['140.82.121.6', 'public'],
    ['64:ff9b::8c52:7906', 'public'],
    ['2606:50c0:8000::153', 'public'],
  ])('%s is %s', (address, kind) => expect(kindOfAddress(address)).toBe(kind));

  test('within IPv6 is what it is without', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        expect(kindOfAddress(`::ffff:${address}`)).toBe(kindOfAddress(address));
      }),
    );
  });
});

describe('the address of a service', () => {
  it.each([
    'https://api.github.com',
    'https://github.example/api/v3',
    'https://10.0.0.7/api/v3',
    'http://localhost:8080/',
    'http://127.0.0.1:1/x',
    'http://[::1]:8080',
  ])('may be %s', (url) => expect(faultOfServiceUrl(url)).toBeUndefined());

  it.each([
    ['http://github.example', 'https://'],
    ['http://10.0.0.7', 'https://'],
    ['https://2852039166/', 'no service'],
    ['https://0xa9fea9fe', 'no service'],
    ['https://[::ffff:169.254.169.254]', 'no service'],
    ['http://0/', 'no service'],
    ['https://user:canary@github.example', 'no password'],
    ['https://slack.com/api/?token=canary', 'without ?'],
    ['https://slack.com/api/#x', 'without ?'],
  ])('may not be %s', (url, says) => {
    expect(faultOfServiceUrl(url)).toContain(says);
    expect(faultOfServiceUrl(url)).not.toContain('canary');
  });
});
