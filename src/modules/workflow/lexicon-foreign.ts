/**
 * The commonest words that steer intent in German, Spanish, French and Portuguese, as "word:english" pairs, and
 * substrings for scripts written without spaces (Chinese, Japanese) or inflected beyond a table (Russian). A word that
 * is also an English one ("die", "was", "test") is left out: being wrong in English would cost more.
 */

const pairs = (text: string): readonly (readonly [string, string])[] =>
  text
    .trim()
    .split(/\s+/)
    .map((pair) => {
      const [word = '', english = ''] = pair.split(':')
      return [word, english] as const
    })

export const FOREIGN_WORDS: ReadonlyMap<string, string> = new Map([
  // German
  ...pairs(`füge:add hinzufügen:add fuege:add ergänze:add ergänzen:add baue:build bau:build behebe:fix beheben:fix repariere:fix reparieren:fix korrigiere:fix
    korrigieren:fix ändere:change ändern:change aendere:change lösche:delete löschen:delete entferne:remove entfernen:remove ersetze:replace erstelle:create
    erstellen:create schreib:write schreibe:write schreiben:write benenne:rename umbenennen:rename verschiebe:move aktualisiere:update
    implementiere:implement implementieren:implement setze:set mach:make mache:make richte:set_up installiere:install übersetze:translate
    verbessere:improve optimiere:optimize refaktoriere:refactor passe:adjust anpassen:adjust umstellen:migrate migriere:migrate nimm:take umsetzen:implement
    bitte:please kannst:can könntest:could du:you ich:i wir:we mir:me uns:us nicht:not kein:no keine:no keinen:no nichts:nothing noch:yet nur:only
    warum:why wieso:why wie:how wo:where wer:who wann:when welche:which welcher:which welches:which woher:where macht:do funktioniert:work
    erkläre:explain erklär:explain erklären:explain zeig:show zeige:show zeigen:show liste:list finde:find suche:search sag:tell beschreibe:describe
    überprüfe:review überprüfen:review prüfe:review prüfen:review begutachte:review schau:look_at ansehen:look_at fehler:bug kaputt:broken
    plane:plan planen:plan konzept:plan entwirf:design entwerfe:design entwurf:design schätze:estimate schätzen:estimate aufwand:effort würdest:would vorschlag:proposal
    schlage:propose hilf:help helfen:help helfe:help unterstütze:support unterstützen:support arbeitet:work arbeit:work aufgabe:task
    übernimm:take_over übernehmen:take_over übernehme:take_over weiter:continue weitermachen:continue aufgehört:left_off fortsetzen:continue setz:continue
    hinterlasse:leave notizen:notes bereite:prepare ordnung:ok sicher:safe teile:split übergib:hand_over übergebe:hand_over übergeben:hand_over übergabe:handover feierabend:done_today lass:let lasse:let gib:give
    weise:assign delegiere:delegate verteile:distribute beauftrage:delegate zuweisen:assign frag:ask und:and oder:or dann:then mit:with für:for
    bei:with von:from zu:to dem:the den:the der:the das:the des:the ein:a eine:a einen:a einem:a ist:is sind:are ohne:without zuerst:first anderen:other andere:other nächsten:next
    libera:release libère:release libérer:release gib:give frei:free vorherigen:previous letzten:last agenten:agents tests:tests datei:file dateien:files`),
  // Spanish
  ...pairs(`agrega:add agregar:add añade:add añadir:add anade:add arregla:fix arreglar:fix corrige:fix corregir:fix crea:create crear:create cambia:change
    cambiar:change elimina:remove eliminar:remove borra:delete borrar:delete escribe:write escribir:write actualiza:update actualizar:update
    implementa:implement implementar:implement reemplaza:replace mueve:move renombra:rename instala:install refactoriza:refactor
    refactorizar:refactor mejora:improve mejorar:improve optimiza:optimize traduce:translate migrar:migrate migra:migrate configura:configure
    haz:make hacer:make hace:do puedes:can_you podrías:can_you podrias:can_you favor:please quiero:want necesito:need sin:without nada:nothing solo:only sólo:only
    qué:what cómo:how dónde:where quién:who cuándo:when cuál:which porqué:why explica:explain explicar:explain
    explícame:explain muestra:show muéstrame:show muestrame:show dime:tell busca:search encuentra:find lista:list trabajando:work
    revisa:review revisar:review revisión:review audita:audit comprueba:review verifica:verify planifica:plan planea:plan diseña:design
    diseñar:design propone:propose propón:propose implementarías:how_implement ayuda:help ayudar:help ayúdale:help apoya:support
    toma:take relevo:baton continúa:continue continua:continue continuar:continue sigue:continue retoma:take_over termina:finish dejó:left
    dejo:left empezó:started entrega:hand_over pasa:pass traspasa:hand_over trabajo:work tarea:task delega:delegate delegar:delegate transfiere:transfer colabora:collaborate correcto:correct bien:good ves:see harías:would asigna:assign asignar:assign
    pide:ask pídele:ask dile:tell reparte:distribute distribuye:distribute deja:leave agente:agent agentes:agents otro:other otra:another
    de:of próximo:next proximo:next siguiente:next anterior:previous para:for con:with por:by los:the las:the del:of_the un:a una:a la:the el:the código:code
    pruebas:tests notas:notes entre:among y:and al:to_the luego:then después:then`),
  // French
  ...pairs(`ajoute:add ajouter:add ajoutez:add corriger:fix corrigez:fix répare:fix reparer:fix crée:create créer:create cree:create supprime:remove
    supprimer:remove remplace:replace remplacer:replace écris:write ecris:write écrire:write modifie:change modifier:change renomme:rename
    déplace:move installe:install traduis:translate améliore:improve optimise:optimize implémente:implement implémenter:implement refactorise:refactor
    mets:set fais:make faire:make fait:do peux-tu:can_you pouvez-vous:can_you pourrais-tu:can_you peux:can pourrais:could veuillez:please sans:without rien:nothing seulement:only
    pourquoi:why comment_:how où:where quelle:which quel:which explique:explain ferais:would ferais-tu:would_you tu:you explique-moi:explain expliquer:explain montre:show
    montre-moi:show cherche:search trouve:find liste:list relis:review relire:review vérifie:review vérifier:review revue:review examine:review
    planifie:plan conçois:design propose:propose proposer:propose estime:estimate découper:split aide:help aider:help aidez:help
    soutiens:support prends:take relais:baton reprends:take_over reprendre:take_over continue:continue continuer:continue termine:finish
    terminer:finish transmets:hand_over transmettre:hand_over passe:pass main:main travail:work tâche:task délègue:delegate déléguer:delegate
    assigne:assign assigner:assign demande:ask demander:ask dis:tell répartis:distribute laisse:leave agent:agent précédent:previous
    prochain:next suivant:next autre:other avec:with pour:for le:the les:the une:a et:and au:to_the aux:to_the d'écrire:write l'agent:agent
    travaille:work est-ce:question quoi:what c'est:is différence:difference entre:among qui:who fonction:function commencé:started`),
  // Portuguese
  ...pairs(`adicione:add adicionar:add adiciona:add corrija:fix corrigir:fix conserta:fix consertar:fix conserte:fix crie:create criar:create remova:remove
    remover:remove apague:delete altere:change alterar:change mude:change escreva:write escrever:write atualize:update implemente:implement
    substitua:replace renomeie:rename refatore:refactor refatorar:refactor refatoração:refactor melhore:improve otimize:optimize traduza:translate
    faça:make faca:make faz:do fazer:make você:you voce:you pode:can poderia:could preciso:need quero:want sem:without
    onde:where quem:who quando:when qual:which explique:explain mostre:show procure:search encontre:find funciona:work
    revisar:review revisão:review verifique:verify audite:audit planeje:plan projete:design proponha:propose ajude:help ajudar:help
    ajuda:help apoie:support assuma:take_over assumir:take_over continue:continue termine:finish entregue:hand_over transfira:transfer
    trabalho:work tarefa:task delegue:delegate atribua:assign peça:ask peca:ask diga:tell distribua:distribute deixe:leave outro:other
    próximo:next os:the  da:of_the na:in ao:to_the com:with uma:a e:and código:code testes:tests não:not nao:not erro:error`),
  // Italian, a few
  ...pairs(`aggiungi:add correggi:fix crea:create rimuovi:remove elimina:remove scrivi:write spiega:explain mostra:show come:come rivedi:review
    controlla:review aiuta:help continua:continue pianifica:plan perché:why dove:where chi:who`),
])

/** Substring → English, for text without spaces or with rich inflection. Longer ones first. */
export const FOREIGN_SUBSTRINGS: readonly (readonly [string, string])[] = [
  ['先不要写代码', 'no code'],
  ['问题', 'problem'],
  ['做', 'make'],
  ['释放', 'release'],
  ['代码', 'code'],
  ['每个', 'each'],
  ['请', 'please'],
  ['来', 'do'],
  ['文档', 'docs'],
  ['不要修改', 'do not change'],
  ['不要改', 'do not change'],
  ['为什么', 'why'],
  ['怎么', 'how'],
  ['什么', 'what'],
  ['哪里', 'where'],
  ['谁', 'who'],
  ['吗', '?'],
  ['解释', 'explain'],
  ['查看', 'show'],
  ['添加', 'add'],
  ['增加', 'add'],
  ['修复', 'fix'],
  ['修改', 'change'],
  ['改成', 'change'],
  ['删除', 'delete'],
  ['重构计划', 'refactor plan'],
  ['计划', 'plan'],
  ['方案', 'proposal'],
  ['设计', 'design'],
  ['重构', 'refactor'],
  ['实现', 'implement'],
  ['创建', 'create'],
  ['优化', 'optimize'],
  ['更新', 'update'],
  ['检查', 'review'],
  ['审查', 'review'],
  ['评审', 'review'],
  ['帮我', 'please'],
  ['帮助', 'help'],
  ['协助', 'assist'],
  ['接手', 'take_over'],
  ['接管', 'take_over'],
  ['继续', 'continue'],
  ['上一个代理', 'previous agent'],
  ['代理', 'agent'],
  ['交接', 'hand_over'],
  ['移交', 'hand_over'],
  ['分配', 'assign'],
  ['委派', 'delegate'],
  ['让', 'have'],
  ['写', 'write'],
  ['工作', 'work'],
  ['任务', 'task'],
  ['给', 'to'],
  ['修正', 'fix'],
  ['追加', 'add'],
  ['作成', 'create'],
  ['削除', 'delete'],
  ['実装', 'implement'],
  ['レビュー', 'review'],
  ['説明', 'explain'],
  ['何を', 'what'],
  ['なぜ', 'why'],
  ['どこ', 'where'],
  ['добав', 'add'],
  ['исправ', 'fix'],
  ['удал', 'delete'],
  ['измени', 'change'],
  ['напиши', 'write'],
  ['создай', 'create'],
  ['сделай', 'make'],
  ['проверь', 'review'],
  ['объясни', 'explain'],
  ['покажи', 'show'],
  ['почему', 'why'],
  ['что', 'what'],
  ['где', 'where'],
  ['как ', 'how'],
  ['кто', 'who'],
  ['план', 'plan'],
  ['составь', 'make'],
  ['помоги', 'help'],
  ['возьми', 'take_over'],
  ['продолж', 'continue'],
  ['передай', 'hand_over'],
  ['поручи', 'delegate'],
  ['задач', 'task'],
  ['работу', 'work'],
]
