'use strict';
// The words that somebody searches for, in plain letters, as src/search.rs has them in the index.
(function () {
    if (typeof elasticlunr === 'undefined') {
        return;
    }
    function plainLetters(word) {
        return word.toLowerCase().normalize('NFD').replace(/[\u0300-\u036f]/g, '')
            .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
    }
    elasticlunr.Pipeline.registerFunction(plainLetters, 'plainLetters');
    // By this one the words are found that are shown in bold in the list of what was found.
    elasticlunr.stemmer = plainLetters;
})();
