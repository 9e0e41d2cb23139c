import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Paths of PEM files: a certificate, and the key that belongs to it. */
export type Pair = { certificate: string; key: string };

/** Makes certificates by openssl in `folder`, for tests of TLS. */
export function createAuthority(folder: string, name: string) {
  const ca: Pair = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', `/CN=${name}`, '-keyout', ca.key, '-out', ca.certificate);

  return {
    /** PEM of the authority itself. */
    certificate: ca.certificate,
    /** One that it signs: for a server of these names (`DNS:…`, `IP:…`), or for a client called `commonName`. */
    issue(file: string, options: { commonName: string; names?: readonly string[]; days?: number }): Pair {
      const pair: Pair = { certificate: join(folder, `${file}.crt`), key: join(folder, `${file}.key`) };
      const request = join(folder, `${file}.csr`);
      const extensions = join(folder, `${file}.ext`);
      writeFileSync(extensions, options.names ? `subjectAltName=${options.names.join(',')}\n` : '\n');
      openssl('req', ...newKey, '-subj', `/CN=${options.commonName}`, '-keyout', pair.key, '-out', request);
      const signer = ['-CA', ca.certificate, '-CAkey', ca.key, '-CAcreateserial', '-days', String(options.days ?? 2)];
      openssl('x509', '-req', '-in', request, ...signer, '-extfile', extensions, '-out', pair.certificate);
      chmodSync(pair.key, 0o600);
      return pair;
    },
    /** A PKCS #12 file of a certificate and its key, as Java reads it. */
    toKeystore({ certificate, key }: Pair, password: string): string {
      const file = certificate.replace(/\.crt$/, '.p12');
      const from = ['-inkey', key, '-in', certificate, '-certfile', ca.certificate];
      openssl('pkcs12', '-export', ...from, '-passout', `pass:${password}`, '-out', file);
      return file;
    },
  };
}
