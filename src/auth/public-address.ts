import ipaddr from 'ipaddr.js'

/** What has been given out of IPv6 so far (RFC 4291 §2.4, IANA's registry); all the rest is special or unassigned. */
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3')

/**
 * Is it an address on the internet, rather than one that means this machine, this network, a documentation example or
 * another address in disguise (IPv4 mapped into IPv6, NAT64, 6to4, Teredo; RFC 6890)? ipaddr.js knows the ranges by
 * name; in IPv6 the list of what is allowed comes first, because `::7f00:1` and what nobody has named yet are in none.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  return parsed.kind() === 'ipv4' || parsed.match(GLOBAL_IPV6)
}
