export default defineNuxtConfig({
  compatibilityDate: '2026-01-01',
  css: ['~/assets/main.css'],
  app: { head: { htmlAttrs: { lang: 'en' }, title: 'Nuxt on Sphere' } },
});
