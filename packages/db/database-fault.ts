/** The database cannot be used as it is, or as it is set. The message says why and what to do. */
export class DatabaseUnfitError extends Error {
  readonly code = 'DATABASE';
}

type Known = NodeJS.ErrnoException & { errors?: Known[]; hostname?: string; address?: string; port?: number };

/**
 * One sentence for an error of Postgres, of a pooler in front of it or of the network, with what to do about it; null
 * for any other error. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function describeDatabaseFault(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  const { code, message } = error as Known;
  // Errors of the web's APIs have numbers there, and are none of a database.
  if (code !== undefined && typeof code !== 'string') return null;
  if (code === 'DATABASE') return message;
  const says = `the server of DATABASE_URL refuses: ${message}`;
  // Whatever the address is, an embedded one's too.
  const itSays = `Postgres refuses: ${message}`;
  switch (code) {
    case '28P01':
      return `${says}; correct the user or the password in DATABASE_URL`;
    case '28000':
      if (/no encryption|SSL off/.test(message))
        return `${says}; it accepts TLS only: set sslmode=require or verify-full`;
      if (/client certificate/.test(message)) return `${says}; name one with sslcert and sslkey`;
      return `${says}; correct the user in DATABASE_URL, or allow it in pg_hba.conf`;
    case '3D000':
      return `${says}; create it (CREATE DATABASE), or correct the name in DATABASE_URL`;
    case '42501':
      return `${says}; \`npx tripline migrate --grants\` shows the rights of each service's role`;
    case '42703':
    case '42883':
      return `${says}; the database is older than this Tripline, so run \`npx tripline migrate\``;
    case '25006':
      return 'the server of DATABASE_URL takes no writes: use the address of the primary';
    case '42P01':
    case '3F000':
      return "the database of DATABASE_URL lacks Tripline's tables; run `npx tripline migrate`";
    case '53100':
      return `${itSays}; its disk is full, so free some space there`;
    case '53200':
      return `${itSays}; it is out of memory, so give it more, or end other clients`;
    case '57P01':
    case '57P02':
      return `${itSays}; it was stopped, so start it again`;
    case '53300':
      return `${itSays}; raise max_connections, or end other clients`;
    case '57P03':
      return `${itSays}; it is starting up or shutting down; try again in a moment`;
    case '08P01':
      return `${says}; if there is a pooler in front of Postgres, see its log and settings`;
  }
  return describeTlsFault(code, message) ?? describeWayFault(error as Known);
}

/** Errors of Node about certificates: https://nodejs.org/api/tls.html#x509-certificate-error-codes */
function describeTlsFault(code: string | undefined, message: string): string | null {
  const server = 'the server of DATABASE_URL';
  if (/does not support SSL connections/.test(message)) {
    return `${server} offers no TLS, and sslmode requires it: enable it there (ssl = on), or set sslmode=disable`;
  }
  if (/password must be a (non-empty )?string/.test(message)) {
    return `${server} asks for a password, and DATABASE_URL has none`;
  }
  switch (code) {
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return `${server} has a certificate of an unknown CA (${code}): name its CA with sslrootcert or PGSSLROOTCERT`;
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return `${server} has a certificate that is not valid now (${code}): renew it, or set this machine's clock`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `${server} has a certificate for another name (${message}): use a name that it contains, or sslmode=verify-ca`;
  }
  if (code?.startsWith('ERR_SSL_') || code?.startsWith('ERR_OSSL_')) {
    return `TLS with ${server} fails (${code}): see sslmode, sslrootcert, sslcert and sslkey`;
  }
  return null;
}

function describeWayFault(error: Known): string | null {
  // A name with several addresses: each of them failed.
  const { code = error.errors?.[0]?.code, syscall, hostname, address, port } = error.errors?.[0] ?? error;
  const where = `${address ?? hostname ?? 'the server'}${port ? `:${port}` : ''}`;
  switch (code) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${where}, the host of DATABASE_URL, cannot be resolved (${code}); correct it, or check the name server`;
    case 'ECONNREFUSED':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'ETIMEDOUT':
    case 'ECONNRESET':
    case 'EPIPE':
      return `${where}, the ${where.startsWith('/') ? 'socket of Postgres' : 'server of DATABASE_URL'}, does not answer (${code}); check that it runs and can be reached from here`;
  }
  // No socket where one is looked for: the server is not running, or keeps it elsewhere.
  if (code === 'ENOENT' && syscall === 'connect') {
    return `${where}, the socket of Postgres, is not there (${code}); check that it runs, and where it has its socket`;
  }
  if (/^Connection terminated/.test(error.message)) {
    return 'the server of DATABASE_URL closed the connection; see its log, or that of a pooler in front of it';
  }
  return null;
}
