import { Hono, type Context } from 'hono'
import { InvitePage } from './pages/invite.tsx'
import { pageHeaders } from './page-headers.ts'
import { renderProblem } from './problems.tsx'
import { renderPage } from './render.ts'

/** What an invitation says to somebody who holds its link. */
export interface ShownInvite {
  readonly workspaceName: string
  readonly role: string
  readonly invitedBy: string
}

/** The signed-in person, as whoever describes and accepts knows them. */
interface Person {
  readonly email: string
}

const PATH = '/invite/:secret{[a-z2-7_]{1,60}}'

/** GET and POST /invite/…: somebody comes in by a link, once they are signed in. */
export function createInvitePages<P extends Person>(deps: {
  config: { readonly publicUrl: string }
  userOf(request: Request): Promise<P | null>
  /** Null for one that lets nobody in, whatever the reason. */
  describe(secret: string, person: P): Promise<ShownInvite | null>
  /** Makes the person a member. @returns what to tell them where it did not work; null where it did */
  accept(person: P, secret: string): Promise<string | null>
  /** @throws for a form that another site posted */
  requireOwnForm(request: Request): void
}): Hono {
  const app = new Hono()
  app.use('/invite/*', pageHeaders(deps.config.publicUrl))

  const signIn = (c: Context) => c.redirect(`/login?${new URLSearchParams({ next: c.req.path }).toString()}`, 303)

  app.get(PATH, async (c) => {
    const person = await deps.userOf(c.req.raw)
    if (person === null) return signIn(c)
    const invite = await deps.describe(c.req.param('secret'), person)
    if (invite === null) return noGood(c)
    return renderPage(c, <InvitePage {...invite} email={person.email} path={c.req.path} />)
  })

  app.post(PATH, async (c) => {
    deps.requireOwnForm(c.req.raw)
    const person = await deps.userOf(c.req.raw)
    if (person === null) return signIn(c)
    const problem = await deps.accept(person, c.req.param('secret'))
    return problem === null ? c.redirect('/', 303) : noGood(c, problem)
  })

  return app
}

function noGood(c: Context, happened = 'This invitation is not valid any more, or is for somebody else.') {
  return renderProblem(c, {
    status: 410,
    title: 'This did not work',
    happened,
    next: 'Ask whoever invited you for a new one.',
  })
}
