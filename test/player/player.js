/**
 * Plays `url` for `playMs` after it began and resolves to what was seen. Errors are those that ended playback; a stall
 * is a `waiting` event, or a second and a half without progress, after the first frame moved.
 */
globalThis.play = async ({ player, url, playMs, startMsMax }) => {
  const video = document.getElementById('video');
  const seen = { errors: [], responses: [] };
  const onError = (what) => seen.errors.push(String(what));
  video.addEventListener('error', () => onError(`video: ${video.error?.message}`));
  const onResponse = (responseUrl, cacheStatus) => seen.responses.push({ url: responseUrl, cacheStatus });
  const close = await openers[player]({ url, video, onError, onResponse });
  const watch = watchPlayback(video);
  await watch.started(startMsMax, () => seen.errors.length > 0);
  await delay(playMs);
  const report = { ...seen, ...watch.report() };
  await close();
  return report;
};

const openers = { 'hls.js': openHls, 'dash.js': openDash, shaka: openShaka };

/** The highest rendition throughout, so that a second play asks for what the first one did. */
async function openHls({ url, video, onError, onResponse }) {
  await library('/libraries/hls.min.js');
  const { Hls } = globalThis;
  const hls = new Hls({ autoStartLoad: false });
  hls.on(Hls.Events.ERROR, (_, { fatal, details, reason }) => {
    if (fatal) onError(`hls.js: ${details} ${reason ?? ''}`);
  });
  hls.on(Hls.Events.FRAG_LOADED, (_, { frag, networkDetails }) =>
    onResponse(frag.url, networkDetails.getResponseHeader('cache-status')),
  );
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    hls.loadLevel = hls.levels.length - 1;
    hls.startLoad();
    video.play().catch(onError);
  });
  hls.loadSource(url);
  hls.attachMedia(video);
  return () => hls.destroy();
}

async function openDash({ url, video, onError, onResponse }) {
  await library('/libraries/dash.all.min.js');
  const { dashjs } = globalThis;
  const player = dashjs.MediaPlayer().create();
  player.initialize();
  player.updateSettings({
    streaming: { abr: { autoSwitchBitrate: { video: false }, initialBitrate: { video: 1_000_000 } } },
  });
  player.addResponseInterceptor(async (response) => {
    const asked = response.request?.customData?.request;
    if (asked?.type?.endsWith('Segment')) onResponse(asked.url, response.headers?.['cache-status']);
    return response;
  });
  player.on(dashjs.MediaPlayer.events.ERROR, ({ error }) => onError(`dash.js: ${error?.message ?? error}`));
  player.attachView(video);
  player.setAutoPlay(true);
  player.attachSource(url);
  return () => player.destroy();
}

async function openShaka({ url, video, onError, onResponse }) {
  await library('/libraries/shaka-player.compiled.js');
  const { shaka } = globalThis;
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  player.configure({ abr: { enabled: false, defaultBandwidthEstimate: 10_000_000 } });
  player.addEventListener('error', ({ detail }) => {
    if (detail.severity === shaka.util.Error.Severity.CRITICAL) onError(`shaka: ${detail.message ?? detail.code}`);
  });
  player.getNetworkingEngine().registerResponseFilter((type, response) => {
    if (type === shaka.net.NetworkingEngine.RequestType.SEGMENT)
      onResponse(response.uri, response.headers['cache-status']);
  });
  try {
    await player.attach(video);
    await player.load(url);
    video.play().catch(onError);
  } catch (error) {
    onError(`shaka: ${error.message ?? error.code}`);
  }
  return () => player.destroy();
}

const standstillMs = 1_500;

/**
 * Sees the beginning, stalls and frames of a video element. A `waiting` with at least `enoughSeconds` in the buffer is
 * the player's own doing (a live player moves about), and no stall.
 */
export function watchPlayback(video, enoughSeconds = Number.POSITIVE_INFINITY) {
  const stalls = [];
  let begun;
  let [lastTime, movedAt] = [0, 0];
  const ahead = () => {
    for (let i = 0; i < video.buffered.length; i++)
      if (video.buffered.start(i) <= video.currentTime && video.currentTime <= video.buffered.end(i))
        return video.buffered.end(i) - video.currentTime;
    return 0;
  };
  const stalled = (why) =>
    stalls.push(`${why} at ${video.currentTime.toFixed(2)} s, ${ahead().toFixed(2)} s buffered ahead`);
  video.addEventListener('waiting', () => begun && ahead() < enoughSeconds && stalled('waiting'));
  const timer = setInterval(() => {
    if (video.currentTime !== lastTime) [lastTime, movedAt] = [video.currentTime, performance.now()];
    else if (begun && performance.now() - movedAt > standstillMs) {
      stalled(`no progress for ${standstillMs} ms`);
      movedAt = performance.now();
    }
  }, 50);
  return {
    /** So far. */
    stalls,
    /** Resolves once a frame was shown and time moves, or the player gave up, or `msMax` have passed. */
    async started(msMax, gaveUp) {
      const startMs = performance.now();
      while (performance.now() - startMs < msMax && !gaveUp()) {
        await delay(20);
        const moving = !video.paused && !video.seeking && lastTime > 0 && performance.now() - movedAt < 200;
        if (moving && video.getVideoPlaybackQuality().totalVideoFrames > 3) {
          begun = { time: video.currentTime, atMs: performance.now(), startMs: performance.now() - startMs };
          return;
        }
      }
    },
    report() {
      clearInterval(timer);
      return {
        stalls,
        startMs: begun?.startMs,
        playedSeconds: begun === undefined ? 0 : video.currentTime - begun.time,
        watchedSeconds: begun === undefined ? 0 : (performance.now() - begun.atMs) / 1000,
        framesDecoded: video.getVideoPlaybackQuality().totalVideoFrames,
        height: video.videoHeight,
      };
    },
  };
}

export const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Loads a script of the page's server. */
export function library(src) {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = src;
    script.onload = () => resolve();
    script.onerror = () => reject(new Error(`${src} did not load`));
    document.head.append(script);
  });
}
