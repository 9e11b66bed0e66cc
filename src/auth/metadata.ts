import type { Config } from '../config.ts'
import { SCOPES } from '../kernel/principal.ts'
import { resourceUri } from './resource.ts'

/** Where the protected resource metadata of the MCP endpoint is: RFC 9728 §3.1, the path-inserted form. */
export function resourceMetadataUrl(publicUrl: string): string {
  return `${publicUrl}/.well-known/oauth-protected-resource/api/mcp`
}

/** RFC 9728 §2. Also served at the root form, which some clients try alone. */
export function protectedResourceMetadata(publicUrl: string) {
  return {
    resource: resourceUri(publicUrl, 'mcp'),
    authorization_servers: [publicUrl],
    scopes_supported: SCOPES,
    bearer_methods_supported: ['header'],
    resource_name: 'Orkestrate',
  }
}

/** RFC 8414 §2. Everything derives from the configured public URL, never from the request (S-04). */
export function authorizationServerMetadata({ publicUrl, fetchClientDocuments }: Config) {
  return {
    issuer: publicUrl,
    authorization_endpoint: `${publicUrl}/oauth/authorize`,
    token_endpoint: `${publicUrl}/api/oauth/token`,
    registration_endpoint: `${publicUrl}/api/oauth/register`,
    revocation_endpoint: `${publicUrl}/api/oauth/revoke`,
    introspection_endpoint: `${publicUrl}/api/oauth/introspect`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: ['none'],
    revocation_endpoint_auth_methods_supported: ['none'],
    // The name of an access token type stands for that token as the way to authenticate (RFC 8414 §2).
    introspection_endpoint_auth_methods_supported: ['Bearer'],
    scopes_supported: SCOPES,
    authorization_response_iss_parameter_supported: true,
    // Clients that see it stop registering themselves (CIMD §6), so only where their documents can be fetched.
    ...(fetchClientDocuments && { client_id_metadata_document_supported: true }),
  }
}
