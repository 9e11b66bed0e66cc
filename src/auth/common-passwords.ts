/**
 * The passwords that everybody tries first, of those with at least eight characters (the head of the lists that leaks
 * share). The throttle and Argon2 make longer lists expensive to try; this only keeps out what is guessed in a dozen
 * attempts.
 */
const COMMON = new Set(
  `password password1 password12 password123 password1234 passw0rd p@ssw0rd p@ssword 12345678 123456789 1234567890
  123123123 11111111 00000000 87654321 987654321 qwertyui qwertyuiop qwerty123 qwerty12 1q2w3e4r 1q2w3e4r5t 1qaz2wsx
  asdfghjkl zxcvbnm1 iloveyou iloveyou1 sunshine princess football baseball basketball superman batman123 trustno1
  welcome1 welcome123 letmein1 letmein123 admin123 administrator changeme changeme123 abc12345 abcd1234 abcdefgh
  monkey123 dragon123 master123 michelle jennifer computer internet starwars whatever computer1 secret123 default1
  test1234 testtest guest123 rootroot toor1234 orkestrate orkestrate1`.split(/\s+/),
)

/** Is it one of the first that an attacker would try for this person? */
export function isCommonPassword(password: string, email: string): boolean {
  const folded = password.toLowerCase()
  return COMMON.has(folded) || folded === email || folded === email.split('@')[0]
}
