/** Whether this is the release of node whose private parts are used here: others may end the process over wrong arguments. */
export const isKnownRelease = process.versions.node.startsWith('26.');
