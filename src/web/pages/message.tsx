import { Layout } from '../layout.tsx'

export interface MessageProps {
  readonly title: string
  readonly message: string
  readonly action?: { readonly href: string; readonly label: string } | undefined
}

/** A page that says why it could not go on, and what to do. */
export function MessagePage({ title, message, action }: MessageProps) {
  return (
    <Layout title={title}>
      <h1>{title}</h1>
      <p class="lead" role="alert">
        {message}
      </p>
      {action !== undefined && (
        <p class="below">
          <a href={action.href}>{action.label}</a>
        </p>
      )}
    </Layout>
  )
}
