/**
 * Tenancy: people, workspaces, who belongs to which, and the repositories bound to them.
 *
 * A workspace is the tenant. Membership is read on every call, so a removed member is out with the next one; what a role may
 * do is one table (roles.ts), and a workspace has an owner, always. A repository is known by its canonical remote
 * (remote.ts), or by its first commit where it has none. An invitation gives no more than whoever made it could give now.
 */
import type { Module } from '../module.ts'
import * as events from './events.ts'
import { acceptInvite, createInvite, deleteInvite, listInvites } from './invite-operations.ts'
import { changeMember, listMembers, removeMember, transferOwnership } from './member-operations.ts'
import { bindRepository, listRepos, unbindRepository } from './repo-operations.ts'
import { countTenancy, eraseTenancy } from './store.ts'
import {
  changePolicy,
  deleteWorkspace,
  getPolicy,
  getWorkspace,
  listWorkspaces,
  updateWorkspace,
  workspaceAction,
} from './workspace-operations.ts'

export const tenancy: Module = {
  name: 'tenancy',
  tools: [],
  // By name: engines list the exports of a module in different orders.
  events: Object.values(events).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  operations: [
    listWorkspaces,
    workspaceAction,
    getWorkspace,
    updateWorkspace,
    deleteWorkspace,
    getPolicy,
    changePolicy,
    listMembers,
    changeMember,
    removeMember,
    transferOwnership,
    listInvites,
    createInvite,
    deleteInvite,
    acceptInvite,
    listRepos,
    bindRepository,
    unbindRepository,
  ],
  inventory: countTenancy,
  erase: eraseTenancy,
}
