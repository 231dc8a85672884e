/** In place of collect-moving.ts for pages: nothing moves there, and nothing is protected. */
export const metricsOfMoving = () => ({});
