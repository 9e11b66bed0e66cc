/** What `node` is given to run what `npm run build` has built, as the image does. */
export const BUILT_SERVER = ['--max-semi-space-size=64', 'dist/main.js']
