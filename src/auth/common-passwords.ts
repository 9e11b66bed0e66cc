import { FREQUENT_PASSWORDS } from './common-passwords-list.ts'

/** Those of the list, and what people make up on the spot for a server of this name. */
const COMMON = new Set(
  `${FREQUENT_PASSWORDS} password1234 p@ssw0rd p@ssword admin123 changeme123 default1 guest123 letmein123 master123
  secret123 test1234 testtest toor1234 welcome123 orkestrate orkestrate1`.split(/\s+/),
)

/** Is it one of the first that an attacker would try for this person? */
export function isCommonPassword(password: string, email: string): boolean {
  const folded = password.toLowerCase()
  return COMMON.has(folded) || folded === email || folded === email.split('@')[0]
}
