/** What stands for the identifiers of a URL template (ISO/IEC 23009-1 section 5.3.9.4.4). */
interface TemplateValues {
  readonly representationId: string | undefined;
  readonly bandwidth: string | undefined;
  readonly number: number | undefined;
  readonly time: bigint | undefined;
}

const identifier = /\$(?:(RepresentationID)|(Number|Time|Bandwidth)(?:%0(\d{1,2})d)?)?\$/g;
const widthMax = 32;

/** The URL reference a template stands for; undefined where it asks for what is not known or not understood. */
export function fillTemplate(template: string, values: TemplateValues): string | undefined {
  if (!template.includes('$')) return template;
  let understood = true;
  const filled = template.replaceAll(identifier, (_all, id?: string, numeric?: string, width?: string) => {
    if (id === undefined && numeric === undefined) return '\0';
    const value = id === undefined ? numericValue(numeric ?? '', values) : values.representationId;
    const digits = Number(width ?? 1);
    if (value === undefined || digits > widthMax) understood = false;
    return String(value ?? '')
      .padStart(digits, '0')
      .replaceAll('$', '\0');
  });
  // What is left over is `$SubNumber$` or a mistake; the player's reading of either is not known.
  return understood && !filled.includes('$') ? filled.replaceAll('\0', '$') : undefined;
}

function numericValue(name: string, { number, time, bandwidth }: TemplateValues): string | undefined {
  if (name === 'Bandwidth') return bandwidth;
  return (name === 'Number' ? number : time)?.toString();
}
