/** Longer remotes are refused. The result stays short enough to be parsed again behind `https://`. */
export const MAX_REMOTE_LENGTH = 2048

const SCHEMES = new Set(['https', 'http', 'ssh', 'git', 'git+ssh', 'ssh+git', 'git+https', 'git+http', 'ftp', 'ftps'])

/**
 * Default ports of the transports. Dropped whatever the scheme: SSH on 443 (`ssh.github.com:443`) leads to the same
 * repositories as HTTPS.
 */
const DEFAULT_PORTS = new Set([21, 22, 80, 443, 990, 9418])

/** Other names of one service: where a firewall lets only 443 through, and where a service keeps SSH apart. */
const HOST_ALIASES: Readonly<Record<string, string>> = {
  'ssh.github.com': 'github.com',
  'altssh.gitlab.com': 'gitlab.com',
  'altssh.bitbucket.org': 'bitbucket.org',
  'ssh.dev.azure.com': 'dev.azure.com',
  'vs-ssh.visualstudio.com': 'dev.azure.com',
}

/** Services that find `Owner/Repo` under any case. Self-hosted software may be set up either way, so its case stays. */
const CASE_INSENSITIVE_HOSTS = new Set([
  'github.com',
  'gist.github.com',
  'gitlab.com',
  'bitbucket.org',
  'codeberg.org',
  'dev.azure.com',
])

interface Address {
  readonly host: string
  readonly port: string
  readonly path: string
}

/**
 * The identity of the repository behind a Git remote, `host/owner/repo` in printable ASCII, or null if the remote says
 * nothing that another machine could share (a local path, `file:`, a bundle, a transport helper) or is no remote at all.
 *
 * All spellings of one repository give one result: scheme, user, password, default ports, query, fragment, trailing `/`
 * and `.git` go; the host is in lower case (and Punycode), other ports stay as `host:port`; the case of the path stays
 * except on services known to ignore it; percent-encoding is brought to one form. Azure DevOps repositories are
 * `dev.azure.com/organization/project/repo`, also from SSH and visualstudio.com. `https://` + result gives the result
 * again. Credentials are never in it: a remote with an `@` outside the part before the host is refused, since there a
 * password with an unescaped `/`, `?` or `#` ends up.
 *
 * Forms: git-fetch(1) "GIT URLS" (URLs and the scp-like `[user@]host:path`).
 */
export function canonicalRemote(raw: string): string | null {
  const remote = raw.trim()
  if (remote.length > MAX_REMOTE_LENGTH || /[\p{Cc}\p{Cs}\\]/u.test(remote)) return null
  const address = parseUrl(remote) ?? parseScpLike(remote)
  if (address === null) return null

  const host = canonicalHost(address.host)
  const port = canonicalPort(address.port)
  const path = canonicalPath(address.path)
  if (host === null || port === null || path === null) return null

  const repository = onKnownService(HOST_ALIASES[host] ?? host, path)
  if (repository.path.length === 0) return null
  const result = `${repository.host}${port}/${repository.path.map(encodeSegment).join('/')}`
  return result.length > MAX_REMOTE_LENGTH - 'https://'.length ? null : result
}

/** `scheme://[user[:password]@]host[:port]/path`. The user part may hold anything but `/`, `?` and `#`. */
function parseUrl(remote: string): Address | null {
  const match = /^([a-z+]+):\/\/(?:[^/?#]*@)?(\[[^\]/?#]*\]|[^:/?#@]*)(?::(\d*))?([/?#].*)?$/iu.exec(remote)
  const [, scheme = '', host = '', port = '', path = ''] = match ?? []
  return SCHEMES.has(scheme.toLowerCase()) ? { host, port, path } : null
}

/**
 * `[user@]host:path`, `[user@][host:port]:path`: no slash before the colon, else Git takes it for a local path. A single
 * letter is a Windows drive, `name::` a transport helper, and a scheme here is a broken URL.
 */
function parseScpLike(remote: string): Address | null {
  const match = /^(?:[^/:]*@)?(?:\[([^/@[\]:]+):(\d+)\]|(\[[^/@[\]]*\]|[^/:@[\]]{2,})):(?!:|\/\/)(.*)$/u.exec(remote)
  if (match === null) return null
  const [, hostBeforePort, port = '', host = hostBeforePort ?? '', path = ''] = match
  return host === 'file' || SCHEMES.has(host.toLowerCase()) ? null : { host, port, path }
}

/** In lower case and Punycode, as WHATWG URL has it for the special schemes, and without the dot of the DNS root. */
function canonicalHost(host: string): string | null {
  const url = `https://${host}`
  return (host !== '' && URL.canParse(url) && new URL(url).hostname.replace(/\.+$/u, '')) || null
}

function canonicalPort(port: string): string | null {
  if (port === '' || DEFAULT_PORTS.has(Number(port))) return ''
  return Number(port) >= 1 && Number(port) <= 65_535 ? `:${Number(port)}` : null
}

/** The decoded segments, without empty ones and without `.git` at the end; null if one of them is no name. */
function canonicalPath(path: string): string[] | null {
  if (path.includes('@')) return null
  const segments = path
    .replace(/[?#].*$/u, '')
    .split('/')
    .map(decode)
  while (/(?:^|\.git)$/iu.test(segments.at(-1) ?? '-')) {
    const name = (segments.pop() ?? '').replace(/(?:\.git)+$/iu, '')
    if (name !== '') segments.push(name)
  }
  const names = segments.filter((segment) => segment !== '')
  return names.some((name) => /^\.{1,2}$|\p{Cc}|\p{Cs}/u.test(name)) ? null : names
}

/** In NFC. Encoding that is not UTF-8 gives NUL, which no name may hold. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment).normalize('NFC')
  } catch {
    return '\0'
  }
}

/** Everything but unreserved characters and the sub-delimiters that cannot be mistaken for something else (RFC 3986). */
function encodeSegment(segment: string): string {
  return encodeURIComponent(segment).replace(/%(?:24|26|2B|2C|3A|3B|3D)/gu, decodeURIComponent)
}

/** What services say about their own addresses: which case and which forms of the path mean the same repository. */
function onKnownService(host: string, path: string[]): { host: string; path: string[] } {
  const organization = /^([^.]+)\.visualstudio\.com$/u.exec(host)?.[1]
  if (organization !== undefined) {
    const rest = path[0]?.toLowerCase() === 'defaultcollection' ? path.slice(1) : path
    return onKnownService('dev.azure.com', [organization, ...rest])
  }
  if (!CASE_INSENSITIVE_HOSTS.has(host)) return { host, path }
  const lower = path.map((segment) => segment.replace(/[A-Z]+/gu, (letters) => letters.toLowerCase()))
  return { host, path: host === 'dev.azure.com' ? azurePath(lower) : lower }
}

/** `v3/org/project/repo` (SSH), `org/project/_git/repo` and, for a project's first one, `org/_git/repo`. */
function azurePath(path: string[]): string[] {
  const names = [...path]
  while (names.at(-2) === '_git') names.splice(-2, 1)
  const [first, second] = names
  if (names.length === 4 && first === 'v3') return names.slice(1)
  return names.length === 2 && first !== undefined && second !== undefined ? [first, second, second] : names
}
