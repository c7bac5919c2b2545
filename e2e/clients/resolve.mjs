// Cakemail's packages are written for bundlers: they import their own modules without ".js" or "/index.js". Node takes them with this;
// the packages themselves are as they were published.
export async function resolve(specifier, context, next) {
  if (!specifier.startsWith('.')) return next(specifier, context);
  for (const end of ['', '.js']) {
    try {
      return await next(specifier + end, context);
    } catch (error) {
      if (!['ERR_MODULE_NOT_FOUND', 'ERR_UNSUPPORTED_DIR_IMPORT'].includes(error.code)) throw error;
    }
  }
  return next(specifier + '/index.js', context);
}
