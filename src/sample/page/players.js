/** The player for a playlist or an MPD. */
export function playerFor(url) {
  return url.endsWith('.mpd') ? 'dash.js' : 'hls.js';
}

/**
 * Plays `url` in `video`. `onResponse({url, range, bytes, ms, cacheStatus})` tells of each media response, `onProblem`
 * of what ends playback, as text. Resolves to what closes the player.
 *
 * The players send CMCD in the query. Its session id makes each play new to the browser's cache, which would otherwise
 * answer the second time; to Eddy, which leaves CMCD out of the key, it is the same segment.
 */
export async function openPlayer(name, options) {
  return name === 'dash.js' ? openDash(options) : openHls(options);
}

async function openHls({ url, video, onResponse, onProblem }) {
  await library('/vendor/hls.min.js');
  const { Hls } = globalThis;
  const hls = new Hls({ cmcd: { contentId: url } });
  hls.on(Hls.Events.FRAG_LOADED, (_, { frag, networkDetails }) => {
    const { start, end } = frag.stats.loading;
    const [first, after] = frag.byteRange;
    onResponse({
      url: frag.url,
      range: after === undefined ? undefined : `${first}-${after - 1}`,
      bytes: frag.stats.loaded,
      ms: end - start,
      cacheStatus: networkDetails?.getResponseHeader?.('cache-status') ?? undefined,
    });
  });
  hls.on(Hls.Events.ERROR, (_, { fatal, details }) => {
    if (fatal) onProblem(`hls.js gave up: ${details}`);
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  hls.once(Hls.Events.MANIFEST_PARSED, () => start(video));
  return () => hls.destroy();
}

async function openDash({ url, video, onResponse, onProblem }) {
  await library('/vendor/dash.all.min.js');
  const { dashjs } = globalThis;
  const player = dashjs.MediaPlayer().create();
  player.initialize();
  player.updateSettings({ streaming: { cmcd: { enabled: true, mode: 'query', cid: url } } });
  player.addResponseInterceptor(async (response) => {
    const asked = response.request?.customData?.request;
    if (asked?.type?.endsWith('Segment')) {
      const { startTime = 0, duration = performance.now() - startTime } = response.resourceTiming ?? {};
      onResponse({
        url: response.url ?? asked.url,
        range: asked.range ?? undefined,
        bytes: response.data?.byteLength,
        ms: duration,
        cacheStatus: response.headers?.['cache-status'],
      });
    }
    return response;
  });
  player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => onProblem(`dash.js: ${error?.message ?? error}`));
  player.attachView(video);
  player.setAutoPlay(true);
  player.attachSource(new URL(url, location.href).href);
  return () => player.destroy();
}

/** Browsers may want a click first; the controls are there for it. */
function start(video) {
  video.play().catch(() => {});
}

const libraries = new Map();

/** Loads a player's script once; not before it is wanted, as each weighs half a megabyte or more. */
function library(src) {
  const loading = libraries.get(src) ?? loadScript(src);
  libraries.set(src, loading);
  return loading;
}

function loadScript(src) {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = src;
    script.onload = () => resolve();
    script.onerror = () => {
      libraries.delete(src);
      reject(new Error(`${src} did not load`));
    };
    document.head.append(script);
  });
}
