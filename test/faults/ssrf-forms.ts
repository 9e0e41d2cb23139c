/**
 * Addresses by which attackers have made servers call what they must not: every way of writing loopback, the link's
 * metadata service and private networks, with names, user names and ports before and behind, and schemes that are no
 * HTTP. `port` is a trap's, where those that name the machine itself would be received.
 */
export function ssrfForms(port: number): string[] {
  const hosts = [
    ...new Set([...['127.0.0.1', '169.254.169.254', '0.0.0.0', '10.0.0.1'].flatMap(ipv4Forms), ...ipv6Forms, ...names]),
  ];
  const plain = hosts.flatMap((host) => [`http://${host}:${port}/`, `https://${host}/latest/meta-data/`]);
  const disguised = ['127.0.0.1', '[::1]', 'localhost', '2130706433', '169.254.169.254'].flatMap((host) =>
    disguises(host, port),
  );
  return [...new Set([...plain, ...disguised, ...schemes(port)])];
}

function ipv4Forms(address: string): string[] {
  const parts = address.split('.').map(Number) as [number, number, number, number];
  const [a, b, c, d] = parts;
  const number = ((a * 256 + b) * 256 + c) * 256 + d;
  const octal = (part: number) => `0${part.toString(8)}`;
  const hex = (part: number) => `0x${part.toString(16)}`;
  const wide = [...address].map((sign) => (sign === '.' ? '．' : String.fromCodePoint(0xff10 + Number(sign)))).join('');
  const circled = [...address]
    .map((sign) => (sign === '.' ? '.' : sign === '0' ? '⓪' : String.fromCodePoint(0x245f + Number(sign))))
    .join('');
  const mapped = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  return [
    ...[
      address,
      `${address}.`,
      String(number),
      octal(number),
      hex(number),
      hex(number).toUpperCase().replace('0X', '0x'),
    ],
    ...[parts.map(octal).join('.'), parts.map(hex).join('.'), parts.map((part) => `000${octal(part)}`).join('.')],
    ...[
      `${a}.${number % 2 ** 24}`,
      `${a}.${b}.${(c << 8) | d}`,
      `${hex(a)}.${octal(b)}.${c}.${hex(d)}`,
      `${octal(a)}.${b}.${c}.${d}`,
    ],
    ...[
      wide,
      circled,
      address.replaceAll('.', '。'),
      address.replaceAll('.', '%2e'),
      address.replace('.', '%E3%80%82'),
    ],
    ...[`%${address.charCodeAt(0).toString(16)}${address.slice(1)}`, address.replace('1', '１'), `${address}\t`],
    ...[`[::ffff:${address}]`, `[::ffff:${mapped}]`, `[0:0:0:0:0:FFFF:${address}]`, `[::${address}]`, `[::${mapped}]`],
    ...[`[64:ff9b::${mapped}]`, `[2002:${mapped}::]`, `[::ffff:0:${mapped}]`],
    ...[`${address}.nip.io`, `${address.replaceAll('.', '-')}.sslip.io`, `api.github.com.${address}.nip.io`],
  ];
}

const ipv6Forms = [
  ...[
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[0000:0000:0000:0000:0000:0000:0000:0001]',
    '[::]',
    '[0::0]',
    '[::0001]',
    '[::1%25lo]',
  ],
  ...[
    '[fe80::1]',
    '[fe80::1%25eth0]',
    '[fd00::1]',
    '[fd00:ec2::254]',
    '[fd20:ce::254]',
    '[fc00::]',
    '[fec0::1]',
    '[ff02::1]',
  ],
  ...['[2001:0:7f00:1::]', '[2001::1]', '[64:ff9b:1::7f00:1]', '[::ffff:7f00:1]', '[::FFFF:127.0.0.1]', '[100::1]'],
];

const names = [
  ...[
    'localhost',
    'LOCALHOST',
    'localhost.',
    'localhost.localdomain',
    'foo.localhost',
    'ⓛⓞⓒⓐⓛⓗⓞⓢⓣ',
    'ip6-localhost',
    'localtest.me',
  ],
  ...[
    'lvh.me',
    'vcap.me',
    'spoofed.burpcollaborator.net',
    'metadata.google.internal',
    'metadata',
    'instance-data',
    'metadata.azure.com',
  ],
  ...[
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    'host.docker.internal',
    'gateway.docker.internal',
    'rancher-metadata',
  ],
  ...[
    'postgres',
    'kafka',
    'db',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
    '192.168.1.1',
    '172.17.0.1',
    '255.255.255.255',
    '224.0.0.1',
  ],
  ...[
    'api.github.com.evil.example',
    'evil.example',
    'slack.com.evil.example',
    'xn--n3h.evil.example',
    'slack.com%00.evil.example',
  ],
];

/** What a careless check takes for another host. */
function disguises(host: string, port: number): string[] {
  const at = `${host}:${port}`;
  return [
    ...[
      `http://user:pass@${at}/`,
      `http://slack.com@${at}/`,
      `http://api.github.com:443@${at}/`,
      `http://api.github.com%40${at}/`,
    ],
    ...[`http://${at}#@slack.com/`, `http://${at}?@slack.com/`, `http://${at}/@slack.com`, `http://${at}\\@slack.com/`],
    ...[
      `http://slack.com\\@${at}/`,
      `http:\\\\${at}/`,
      `http:/${at}/`,
      `http:${at}/`,
      `//${at}/`,
      `///${at}/`,
      `\\\\${at}\\`,
      `/\\${at}/`,
    ],
    ...[
      ` http://${at}/`,
      `\thttp://${at}/`,
      `ht\ntp://${at}/`,
      `h\ttp://${at}/`,
      `http://${at}/\r\nhost: slack.com`,
      `HTTP://${at}/`,
    ],
    ...[
      `http://${at}/..;/`,
      `http://${at}/%2e%2e/`,
      `http://${at}/?url=https://slack.com/`,
      `http://${at}/https://slack.com/`,
    ],
    ...[
      `http://\u200b${at}/`,
      `http://\u00ad${at}/`,
      `http://${at}\u3002slack.com/`,
      `http://[${at}]/`,
      `http://${host}:0${port}/`,
      `http://${host}:+${port}/`,
    ],
    ...[
      `https://slack.com:${port}@${host}/`,
      `https://slack.com;@${at}/`,
      `http://${at}:80/`,
      `http://a@b@${at}/`,
      `http://;@${at}/`,
    ],
    ...[
      `http://slack.com#.${at}/`,
      `http://slack.com .${at}/`,
      `https://${host}/api/`,
      `http://0/@${at}`,
      `http://${at}/\ud800`,
    ],
  ];
}

function schemes(port: number): string[] {
  const rest = `127.0.0.1:${port}/x`;
  const called = [
    'gopher',
    'ftp',
    'ftps',
    'sftp',
    'tftp',
    'dict',
    'ldap',
    'ldaps',
    'imap',
    'smtp',
    'telnet',
    'ssh',
    'rtsp',
    'jar',
  ];
  return [
    ...[...called, 'ws', 'wss', 'http+unix', 'unix', 'netdoc', 'view-source', 'blob', 'postgres', 'kafka', 'git'].map(
      (scheme) => `${scheme}://${rest}`,
    ),
    ...[
      'file:///etc/passwd',
      'file://localhost/etc/passwd',
      'file:/proc/self/environ',
      'data:text/html,<script>',
      'javascript:fetch(1)',
    ],
    ...[
      `jar:http://${rest}!/`,
      `blob:http://${rest}`,
      'about:blank',
      'mailto:a@b',
      'node:fs',
      '',
      ' ',
      '#',
      '?',
      '/',
      '.',
      '..',
      '../..',
      'null',
    ],
  ];
}
