/** What an MPD for a test is made of; each part is XML. */
export interface MpdParts {
  /** Attributes of the MPD element. */
  readonly mpd?: string;
  /** Before the periods. */
  readonly head?: string;
  readonly periods?: readonly string[];
  /** After them. */
  readonly tail?: string;
}

/** An MPD as packagers write them, line ends of Windows and comments included. */
export function mpdText({ mpd = 'type="static"', head = '', periods = [], tail = '' }: MpdParts): string {
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!-- made by a packager, é -->',
    `<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011" minBufferTime="PT2S" ${mpd}>`,
    head,
    ...periods,
    tail,
    '</MPD>',
    '',
  ].join('\r\n');
}

/** A period with one video adaptation set that holds `inside` and these representations. */
export function period(
  inside: string,
  { attributes = 'id="p0" start="PT0S"', ids = ['v1'] }: { attributes?: string; ids?: readonly string[] } = {},
): string {
  const representations = ids.map((id, at) => `<Representation id="${id}" bandwidth="${(at + 1) * 1000}"/>`);
  return `<Period ${attributes}><AdaptationSet mimeType="video/mp4">${inside}${representations.join('')}</AdaptationSet></Period>`;
}
