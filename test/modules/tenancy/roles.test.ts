import { describe, expect, test } from 'vitest'
import {
  checkOwnerStays,
  checkRoleChange,
  may,
  mayChangeRole,
  PERMISSIONS,
  requirePermission,
  type Permission,
} from '../../../src/modules/tenancy/roles.ts'
import { ROLES, type Role } from '../../../src/modules/tenancy/tenancy.ts'

describe('the table of who may do what', () => {
  test('is this one, word for word: a change of it is a visible diff', () => {
    const rows = Object.keys(PERMISSIONS).map((name) => {
      // The keys of the table itself.
      const permission = name as Permission
      return `${permission}: ${ROLES.filter((role) => may(role, permission)).join(' ')}`
    })
    expect(rows).toEqual([
      'workspace.read: owner admin member viewer',
      'work: owner admin member',
      'values.write: owner admin member',
      'values.purge: owner admin',
      'invites.manage: owner admin',
      'members.manage: owner admin',
      'repos.manage: owner admin',
      'workspace.configure: owner admin',
      'sessions.end: owner admin',
      'equals.manage: owner',
      'workspace.archive: owner',
      'workspace.delete: owner',
    ])
  })

  test('a refusal names the least role that may', () => {
    expect(() => requirePermission('member', 'invites.manage')).toThrow(
      expect.objectContaining({ code: 'FORBIDDEN_ROLE', details: { requiredRole: 'admin', role: 'member' } }),
    )
  })
})

describe('who makes whom what', () => {
  const anybody = [...ROLES, null]
  const changes = (mine: Role) =>
    anybody.flatMap((from) => anybody.filter((to) => mayChangeRole(mine, from, to)).map((to) => `${from}→${to}`))

  test('owners everybody everything, viewers and members nobody anything', () => {
    expect(changes('owner')).toHaveLength(25)
    expect(changes('member')).toEqual([])
    expect(changes('viewer')).toEqual([])
  })

  test('admins only those below them, and only to roles below them', () => {
    const below = ['member', 'viewer', 'null']
    expect(changes('admin')).toEqual(below.flatMap((from) => below.map((to) => `${from}→${to}`)))
    expect(() => checkRoleChange('admin', 'owner', null)).toThrow(
      expect.objectContaining({ details: { requiredRole: 'owner', role: 'admin' } }),
    )
  })

  test('the last owner stays owner', () => {
    expect(() => checkOwnerStays('owner', 'admin', 1)).toThrow(expect.objectContaining({ code: 'LAST_OWNER' }))
    expect(() => checkOwnerStays('owner', null, 1)).toThrow(expect.objectContaining({ code: 'LAST_OWNER' }))
    expect(() => checkOwnerStays('owner', 'owner', 1)).not.toThrow()
    expect(() => checkOwnerStays('owner', null, 2)).not.toThrow()
    expect(() => checkOwnerStays('admin', null, 1)).not.toThrow()
  })
})
