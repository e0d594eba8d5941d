/** What a request target says (RFC 9112 section 3.2). */
type Target =
  | { readonly form: 'origin'; readonly target: string }
  | { readonly form: 'absolute'; readonly target: string; readonly authority: string }
  | { readonly form: 'asterisk' }
  | { readonly form: 'invalid'; readonly reason: string };

const absoluteForm = /^https?:\/\/([^/?#]*)(.*)$/i;
/** Anything but visible ASCII, a fragment, or a backslash. */
const forbidden = /[^\x21-\x7e]|[#\\<>"]/;
/**
 * A percent sign without two hex digits, where what decodes the path could read it in two ways. In a query there are
 * such (`?title=100%`); nobody resolves it, so it goes on as it is, as nginx and Varnish have it.
 */
const brokenPath = /^[^?]*?%(?![0-9a-f]{2})/i;
const hostAndPort = /^(?:[a-z0-9\-._~!$&'()*+;=]|%[0-9a-f]{2})+(?::(\d*))?$/i;
const literalAndPort = /^\[[0-9a-f:.]{2,45}\](?::(\d*))?$/i;

/** Recognises origin-form, absolute-form (http and https) and, for OPTIONS, asterisk-form. */
export function parseTarget(target: string, method: string): Target {
  if (forbidden.test(target) || (target.includes('%') && brokenPath.test(target)))
    return { form: 'invalid', reason: 'the request target has a character it must not have' };
  if (target.startsWith('/')) return { form: 'origin', target };
  if (target === '*' && method === 'OPTIONS') return { form: 'asterisk' };
  const absolute = absoluteForm.exec(target);
  if (absolute === null) return { form: 'invalid', reason: 'the request target must be a path or an http(s) URI' };
  const [, authority = '', rest = ''] = absolute;
  if (!isAuthority(authority)) return { form: 'invalid', reason: 'the request target has an invalid authority' };
  // RFC 9112 section 3.2.4: an absolute URI without path in OPTIONS means the server as a whole.
  if (rest === '' && method === 'OPTIONS') return { form: 'asterisk' };
  return { form: 'absolute', target: rest.startsWith('/') ? rest : `/${rest}`, authority };
}

/** Whether `text` is `uri-host [ ":" port ]` with a host (RFC 9110 sections 4.2.1 and 7.2). */
export function isAuthority(text: string): boolean {
  const match = hostAndPort.exec(text) ?? literalAndPort.exec(text);
  return match !== null && text.length <= 261 && Number(match[1] ?? 0) <= 65_535;
}
