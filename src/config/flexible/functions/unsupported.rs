//! Functions that Go and sprig have and templates here have not: who writes one is told so, not that it is unknown.
//!
//! Any other word may be a text whose quotes were forgotten, so nothing shows it.

/// Functions of `text/template`, then those of sprig.
const NAMES: &str = "call html js urlquery \
    abbrev abbrevboth add1 add1f addf adler32sum ago all any append atoi b32dec b32enc base bcrypt biggest \
    buildCustomCert camelcase cat ceil chunk clean compact concat date dateInZone dateModify date_in_zone date_modify \
    decryptAES deepCopy deepEqual derivePassword dig dir divf duration durationRound encryptAES expandenv ext fail float64 \
    floor fromJson genCA genCAWithKey genPrivateKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert \
    genSignedCertWithKey getHostByName has hello htmlDate htmlDateInZone htpasswd initial initials int64 isAbs kebabcase \
    kindIs kindOf maxf merge mergeOverwrite minf mulf mustAppend mustChunk mustCompact mustDateModify mustDeepCopy mustFirst \
    mustFromJson mustHas mustInitial mustLast mustMerge mustMergeOverwrite mustPrepend mustPush mustRegexFind \
    mustRegexFindAll mustRegexMatch mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit mustRest mustReverse \
    mustSlice mustToDate mustToJson mustToPrettyJson mustToRawJson mustUniq mustWithout nospace now omit osBase osClean osDir \
    osExt osIsAbs pick pluck plural prepend push randAlpha randAlphaNum randAscii randBytes randInt randNumeric regexFind \
    regexFindAll regexMatch regexQuoteMeta regexReplaceAll regexReplaceAllLiteral regexSplit repeat required rest reverse \
    round semver semverCompare seq set sha1sum sha256sum sha512sum shuffle snakecase sortAlpha splitn subf substr swapcase \
    toDate toDecimal toRawJson toStrings tpl trimall trunc tuple typeIs typeIsLike typeOf uniq unixEpoch unset untilStep \
    untitle urlJoin urlParse uuidv4 values without wrap wrapWith";

/// Whether Go or sprig has it.
pub(in crate::config::flexible) fn is_unsupported(name: &str) -> bool {
    NAMES.split(' ').any(|known| known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_not_unsupported() {
        assert!(is_unsupported("sortAlpha") && is_unsupported("wrapWith") && !is_unsupported("hunter2"));
        for function in super::super::all() {
            assert!(!is_unsupported(function.name), "{}", function.name);
        }
    }
}
