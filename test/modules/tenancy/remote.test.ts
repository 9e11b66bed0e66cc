import * as fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { canonicalRemote } from '../../../src/modules/tenancy/remote.ts'

describe('every spelling of one repository gives one identity', () => {
  test.each([
    'git@example.org:Team/Repo.git',
    'example.org:Team/Repo',
    'git@example.org:/Team/Repo.git/',
    'git@[example.org:22]:Team/Repo',
    'https://example.org/Team/Repo',
    'https://example.org/Team/Repo.git',
    'https://example.org/Team/Repo.git.git/',
    'https://example.org/Team/Repo/.git',
    'https://user@example.org/Team/Repo',
    'https://user:pass@example.org/Team/Repo',
    'https://user:p@ss:w@example.org/Team/Repo',
    'https://EXAMPLE.org:443/Team//Repo///',
    'http://example.org:80/Team/Repo',
    'https://example.org./Team/Repo',
    'https://example.org/Team/Repo?token=secret#fragment',
    'https://example.org/%54eam/Repo%2Egit',
    'ssh://git@example.org:22/Team/Repo.git/',
    'ssh://git@example.org:443/Team/Repo',
    'SSH://example.org/Team/Repo',
    'git://example.org:9418/Team/Repo.git',
    'git+ssh://git@example.org/Team/Repo.git',
    'git+https://example.org/Team/Repo.git',
    '  https://example.org/Team/Repo.git\n',
  ])('%s', (remote) => {
    expect(canonicalRemote(remote)).toBe('example.org/Team/Repo')
  })
})

describe('what tells repositories apart is kept', () => {
  test.each([
    ['ssh://git@example.org:2222/o/r.git', 'example.org:2222/o/r'],
    ['git@[example.org:2222]:o/r.git', 'example.org:2222/o/r'],
    ['https://example.org:08443/o/r', 'example.org:8443/o/r'],
    ['https://www.example.org/o/r', 'www.example.org/o/r'],
    ['git@example.org:2222/o/r', 'example.org/2222/o/r'],
    ['https://example.org/group/sub/team/r', 'example.org/group/sub/team/r'],
    ['https://example.org/~user/r', 'example.org/~user/r'],
    ['git@example.org:~user/r', 'example.org/~user/r'],
    ['git@example.org:r.git', 'example.org/r'],
    ['https://example.org/o/a%2Fb', 'example.org/o/a%2Fb'],
    ['https://example.org/o/100%25', 'example.org/o/100%25'],
    ['https://example.org/o/c++', 'example.org/o/c++'],
    ['https://example.org/o/A B', 'example.org/o/A%20B'],
    ['https://example.org/o/caf\u00E9', 'example.org/o/caf%C3%A9'],
    ['https://example.org/o/cafe\u0301', 'example.org/o/caf%C3%A9'],
    ['https://b\u00FCcher.example/o/r', 'xn--bcher-kva.example/o/r'],
    ['ssh://git@[2001:DB8::1]:2222/o/r', '[2001:db8::1]:2222/o/r'],
    ['git@[2001:db8::1]:o/r', '[2001:db8::1]/o/r'],
  ])('%s is %s', (remote, canonical) => {
    expect(canonicalRemote(remote)).toBe(canonical)
  })
})

describe('services known to ignore case do, others keep it', () => {
  test.each([
    ['git@github.com:Owner/Repo.git', 'github.com/owner/repo'],
    ['https://GitHub.com/OWNER/repo.GIT', 'github.com/owner/repo'],
    ['ssh://git@ssh.github.com:443/Owner/Repo.git', 'github.com/owner/repo'],
    ['https://gist.github.com/User/ABCDEF.git', 'gist.github.com/user/abcdef'],
    ['https://oauth2:glpat-x@gitlab.com/Group/Sub/Repo.git', 'gitlab.com/group/sub/repo'],
    ['ssh://git@altssh.gitlab.com:443/Group/Repo', 'gitlab.com/group/repo'],
    ['ssh://git@altssh.bitbucket.org:443/Team/Repo.git', 'bitbucket.org/team/repo'],
    ['https://codeberg.org/Team/Repo', 'codeberg.org/team/repo'],
    ['https://github.com/o/%C3%89', 'github.com/o/%C3%89'],
    ['https://github.example.com/Owner/Repo', 'github.example.com/Owner/Repo'],
  ])('%s is %s', (remote, canonical) => {
    expect(canonicalRemote(remote)).toBe(canonical)
  })
})

describe('an Azure DevOps repository is one under all its addresses', () => {
  test.each([
    'git@ssh.dev.azure.com:v3/Org/My%20Project/Repo',
    'org@vs-ssh.visualstudio.com:v3/Org/My%20Project/Repo',
    'https://org@dev.azure.com/Org/My%20Project/_git/Repo',
    'https://dev.azure.com/Org/My Project/_git/Repo',
    'https://org.visualstudio.com/My%20Project/_git/Repo',
    'https://org.visualstudio.com/DefaultCollection/My%20Project/_git/Repo',
  ])('%s', (remote) => {
    expect(canonicalRemote(remote)).toBe('dev.azure.com/org/my%20project/repo')
  })

  it('takes the project of a default repository from its name', () => {
    expect(canonicalRemote('https://dev.azure.com/org/_git/app')).toBe('dev.azure.com/org/app/app')
    expect(canonicalRemote('https://org.visualstudio.com/_git/app')).toBe('dev.azure.com/org/app/app')
    expect(canonicalRemote('git@ssh.dev.azure.com:v3/org/app/app')).toBe('dev.azure.com/org/app/app')
  })
})

describe('what another machine cannot share has no identity', () => {
  test.each([
    ['nothing', ''],
    ['spaces', '  '],
    ['an absolute path', '/srv/git/repo.git'],
    ['a relative path', '../repo.git'],
    ['a plain name', 'repo'],
    ['its own result form, which Git takes for a path', 'github.com/o/r'],
    ['a relative path with a colon', './a:b'],
    ['a bundle', 'backup/repo.bundle'],
    ['a file URL', 'file:///srv/git/repo.git'],
    ['a file URL with a host', 'file://host/repo.git'],
    ['a file URL without slashes', 'file:repo.git'],
    ['a Windows path', String.raw`C:\repos\app`],
    ['a Windows path with slashes', 'C:/repos/app'],
    ['a UNC path', String.raw`\\server\share\repo`],
    ['a UNC path with slashes', '//server/share/repo'],
    ['a transport helper', 'ext::sh -c foo'],
    ['a transport helper with a URL', 'codecommit::eu-west-1://repo'],
    ['an unknown scheme', 'gopher://example.org/o/r'],
    ['a broken URL', 'https:/example.org/o/r'],
    ['no host', 'https:///o/r'],
    ['a user and no host', 'https://user@/o/r'],
    ['no path', 'https://example.org'],
    ['an empty path', 'https://example.org//'],
    ['a path of nothing but .git', 'https://example.org/.git'],
    ['an empty scp-like path', 'git@example.org:'],
    ['a port that is no number', 'ssh://git@example.org:o/r'],
    ['port 0', 'https://example.org:0/o/r'],
    ['a port too high', 'https://example.org:65536/o/r'],
    ['a host that cannot be', 'https://exa mple.org/o/r'],
    ['a dot segment', 'https://example.org/o/../r'],
    ['an encoded dot segment', 'https://example.org/o/%2e%2e/r'],
    ['a dot segment behind .git', 'https://example.org/o/...git'],
    ['bytes that are not UTF-8', 'https://example.org/o/%ff'],
    ['a broken escape', 'https://example.org/o/%zz'],
    ['an encoded NUL', 'https://example.org/o/r%00'],
    ['a control character', 'https://example.org/o/\u0007r'],
    ['a lone surrogate', 'https://example.org/o/\uD800'],
    ['a password with an unescaped slash', 'https://user:12/secret@example.org/o/r'],
    ['a password with an unescaped hash', 'https://user:1/x#secret@example.org/o/r'],
    ['too much', `https://example.org/${'r'.repeat(2048)}`],
    ['too much once encoded', `https://example.org/${'\u6F22'.repeat(500)}`],
  ])('%s', (_, remote) => {
    expect(canonicalRemote(remote)).toBeNull()
  })
})

describe('for any input', () => {
  const host = fc.constantFrom('github.com', 'Example.ORG', 'ssh.dev.azure.com', 'org.visualstudio.com', '[::1]', 'h.')
  const segment = fc.oneof(
    fc.constantFrom(
      'o',
      'R.git',
      '.git',
      '..git',
      'v3',
      '_git',
      '%41',
      '%2F',
      '%2541',
      '%C3%A9',
      'E\u0301',
      '\u212A',
      '~u',
    ),
    fc.string({ unit: 'grapheme', maxLength: 6 }),
    fc.webPath(),
  )
  const path = fc.array(segment, { maxLength: 5 }).map((segments) => segments.join('/'))
  const port = fc.constantFrom('', ':', ':22', ':443', ':2222', ':99999')
  const scheme = fc.constantFrom('https', 'ssh', 'git', 'git+ssh')
  const remote = fc.oneof(
    fc.tuple(scheme, host, port, path).map(([scheme, host, port, path]) => `${scheme}://u:p@${host}${port}/${path}`),
    fc.tuple(host, path).map(([host, path]) => `git@${host}:${path}`),
    fc.webUrl({
      withQueryParameters: true,
      withFragments: true,
      authoritySettings: { withPort: true, withUserInfo: true },
    }),
    fc.string({ unit: 'binary' }),
  )

  test('the identity is its own identity', () => {
    fc.assert(
      fc.property(remote, (remote) => {
        const canonical = canonicalRemote(remote)
        fc.pre(canonical !== null)
        expect(canonicalRemote(`https://${canonical}`)).toBe(canonical)
      }),
      { numRuns: 3000 },
    )
  })

  test('the identity is printable ASCII of the form host/path, without user part, query or fragment', () => {
    fc.assert(
      fc.property(remote, (remote) => {
        const canonical = canonicalRemote(remote)
        fc.pre(canonical !== null)
        expect(canonical).toMatch(/^[a-z0-9._:[\]-]+(?:\/[!$%&'()*+,\-.0-9:;=A-Z_a-z~]+)+$/u)
      }),
      { numRuns: 3000 },
    )
  })

  test('no part of a user name or password survives, whatever characters it is made of', () => {
    const secret = fc.string({ unit: fc.constantFrom('Z', 'Q', '@', ':', '/', '?', '#', '%', '[', '1', ' ') })
    fc.assert(
      fc.property(secret, secret, scheme, (user, password, scheme) => {
        const canonical = canonicalRemote(`${scheme}://${user}:${password}@example.org/o/r`)
        expect([null, 'example.org/o/r']).toContain(canonical)
      }),
      { numRuns: 5000 },
    )
  })
})
