/** What the name of a query parameter contains whose value may be a secret. */
const names = 'token|sig|secret|passw|credential|session|api-?key|key-pair|auth|jwt|policy|hdnea|hdnts';

/** The name with its `=` is the first group; the value ends before the next parameter, or before one of `ends`. */
const parameters = (ends: string): RegExp =>
  new RegExp(String.raw`([?&][^=&\s]*(?:${names})[^=&\s]*=)[^&${ends}]*`, 'gi');

/** In a request target, all of which is the URL. */
export const secretsInTarget = parameters('');
/** In text, where a URL ends before white space and quotes. */
export const secretsInText = parameters(String.raw`\s"'`);
