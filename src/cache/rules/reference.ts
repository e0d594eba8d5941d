/** The target URI of a request, as far as a reference is resolved against it. */
export interface TargetUri {
  readonly scheme: string;
  readonly authority: string;
  /** Origin-form. */
  readonly target: string;
}

/** The target in origin-form that a URI reference names; undefined when it is of another origin or no URI. */
export function sameOriginTarget(reference: string, base: TargetUri): string | undefined {
  const baseUrl = urlOf(`${base.scheme}://${base.authority}${base.target}`);
  if (baseUrl === undefined) return undefined;
  const url = urlOf(reference, baseUrl);
  return url === undefined || url.origin !== baseUrl.origin ? undefined : `${url.pathname}${url.search}`;
}

function urlOf(reference: string, base?: URL): URL | undefined {
  return URL.parse(reference, base) ?? undefined;
}
